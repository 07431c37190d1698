/* Action profiles: members that hold actions, and groups to select a member from. */
#ifndef WP_PROFILE_H
#define WP_PROFILE_H

#include <stdint.h>

/* In place of an entry's action: its parameters, four bytes, name a member or a group. */
#define WP_TO_MEMBER 0xfffe
#define WP_TO_GROUP 0xffff

struct wp_member {
    int32_t action; /* JSON id; -1: there is no such member */
    uint8_t *params;
};

struct wp_group {
    uint32_t count;
    uint32_t *members; /* repeated by weight */
};

struct wp_profile {
    struct wp_member *members;
    struct wp_group *groups;
    uint32_t member_room, group_room;
};

/* Each returns -1 without memory. */
int wp_profile_set_member(struct wp_profile *p, uint32_t member, int32_t action,
                          const uint8_t *params, uint32_t bytes);
/* count UINT32_MAX deletes the group. */
int wp_profile_set_group(struct wp_profile *p, uint32_t group, const uint32_t *members,
                         uint32_t count);
void wp_profile_free(struct wp_profile *p);

/* The action of a member, -1 if there is none; *params become the member's. */
static inline int32_t wp_member_action(const struct wp_profile *p, uint64_t member,
                                       const uint8_t **params)
{
    if (member >= p->member_room)
        return -1;
    *params = p->members[member].params;
    return p->members[member].action;
}

static inline int32_t wp_group_action(const struct wp_profile *p, uint64_t group, uint64_t hash,
                                      const uint8_t **params)
{
    if (group >= p->group_room || !p->groups[group].count)
        return -1;
    const struct wp_group *g = &p->groups[group];
    return wp_member_action(p, g->members[hash % g->count], params);
}

#endif
