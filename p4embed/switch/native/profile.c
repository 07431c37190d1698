#include "profile.h"

#include <stdlib.h>
#include <string.h>

int wp_profile_set_member(struct wp_profile *p, uint32_t member, int32_t action,
                          const uint8_t *params, uint32_t bytes)
{
    if (member >= p->member_room) {
        uint32_t room = member < 32 ? 64 : 2 * member;
        struct wp_member *more = realloc(p->members, room * sizeof *more);
        if (!more)
            return -1;
        for (uint32_t i = p->member_room; i < room; i++)
            more[i] = (struct wp_member){.action = -1};
        p->members = more;
        p->member_room = room;
    }
    uint8_t *copy = malloc(bytes + 1);
    if (!copy)
        return -1;
    memcpy(copy, params, bytes);
    free(p->members[member].params);
    p->members[member] = (struct wp_member){action, copy};
    return 0;
}

int wp_profile_set_group(struct wp_profile *p, uint32_t group, const uint32_t *members,
                         uint32_t count)
{
    if (group >= p->group_room) {
        uint32_t room = group < 32 ? 64 : 2 * group;
        struct wp_group *more = realloc(p->groups, room * sizeof *more);
        if (!more)
            return -1;
        memset(more + p->group_room, 0, (room - p->group_room) * sizeof *more);
        p->groups = more;
        p->group_room = room;
    }
    if (count == UINT32_MAX)
        count = 0;
    uint32_t *copy = malloc((count + 1) * sizeof *copy);
    if (!copy)
        return -1;
    memcpy(copy, members, count * sizeof *copy);
    free(p->groups[group].members);
    p->groups[group] = (struct wp_group){count, copy};
    return 0;
}

void wp_profile_free(struct wp_profile *p)
{
    for (uint32_t i = 0; i < p->member_room; i++)
        free(p->members[i].params);
    for (uint32_t i = 0; i < p->group_room; i++)
        free(p->groups[i].members);
    free(p->members);
    free(p->groups);
}
