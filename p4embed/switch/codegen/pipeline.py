"""The life of a packet around the controls, as simple_switch has it.

parser, checksum verification, ingress; then clone, resubmit, multicast, drop or unicast; egress;
clone, drop; checksum update, deparser; recirculate or transmit. A program that makes no copies of
packets gets one straight line; one that does gets queues, worked off egress first.
"""

from __future__ import annotations

from p4embed.switch import program as p
from p4embed.switch.codegen import digests
from p4embed.switch.codegen.ahead import PACKETS
from p4embed.switch.codegen.context import Context
from p4embed.switch.codegen.features import Features, features


def functions(context: Context) -> list[str]:
    """From ``arrive`` to ``process``."""
    wanted = features(context.program)
    lines = _arrive(context)
    lines += digests.function(context)
    if wanted.queues:
        lines += [*_QUEUES, *_keep_fields(context)]
    lines += _after_egress(context, wanted)
    lines += _ingress(context, wanted)
    lines += _FINISH_QUEUES if wanted.queues else _FINISH
    return [*lines, *(_PROCESS_AHEAD if context.ahead.stops else _PROCESS)]


def _indent(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _metadata(context: Context) -> list[str]:
    return [
        text
        for header, text in zip(context.program.headers, context.names.headers, strict=True)
        if header.metadata
    ]


def _arrive(context: Context) -> list[str]:
    intrinsics = context.program.intrinsics
    valid = [f"{text}.valid = 1;" for text in _metadata(context)]
    return [
        "/* A packet before its parser. */",
        "static void arrive(struct packet *p, struct wp_run *run, uint32_t port, uint8_t *frame,",
        "                   uint32_t length)",
        "{",
        "    memset(p, 0, offsetof(struct packet, uncleared));",
        "    p->run = run;",
        "    p->frame = frame;",
        "    p->frame_length = p->ingress_length = p->length = length;",
        "    p->port = port;",
        f"    p->error = {context.program.errors.no_error};",
        "    p->truncate = UINT64_MAX;",
        *_indent(valid),
        *_indent(context.intrinsic(intrinsics.ingress_port, "port")),
        *_indent(context.intrinsic(intrinsics.packet_length, "length")),
        *_indent(context.stamp(intrinsics.ingress_global_timestamp)),
        "}",
        "",
    ]


_QUEUES = """\
/* Copies that wait for their pass. One that finds its queue full is dropped: no more passes than
 * the queue has places are made anyway. */
struct queue {
    uint32_t first, last;
    uint32_t ports[WP_PASSES_MAX];
    struct packet packets[WP_PASSES_MAX];
};
struct queues { struct queue ingress, egress; };

static struct queues *queues_of(struct wp_run *run)
{
    if (!run->queues)
        run->queues = calloc(1, sizeof(struct queues));
    return run->queues;
}

/* A copy at the end of a queue, with a frame of its own; NULL if there is no room. */
static struct packet *put(struct queue *q, const struct packet *p, uint32_t port)
{
    uint8_t *frame = q->last < WP_PASSES_MAX ? wp_spare(p->run, p->frame_length) : NULL;
    if (!frame) {
        p->run->lost++;
        return NULL;
    }
    struct packet *copy = &q->packets[q->last];
    q->ports[q->last++] = port;
    *copy = *p;
    memcpy(frame, p->frame, p->frame_length);
    copy->frame = frame;
    copy->clone = copy->resubmit = copy->recirculate = 0;
    copy->failed = 0;
    copy->digest = 0;
    return copy;
}
""".splitlines()


def _keep_fields(context: Context) -> list[str]:
    """Field lists, the reset of metadata, and replication."""
    intrinsics = context.program.intrinsics
    lines = [
        "/* Metadata that a copy keeps. */",
        "static void keep_fields(struct packet *p, const struct packet *from, uint32_t list)",
        "{",
        "    switch (list) {",
    ]
    for index, field_list in enumerate(context.program.field_lists):
        lines.append(f"    case {index}: /* {field_list.name} */")
        for ref in field_list.fields:
            text = context.lvalue(ref)
            lines.append(f"        {text} = {text.replace('p->', 'from->', 1)};")
        lines.append("        break;")
    lines += ["    }", "    (void)p, (void)from;", "}", ""]
    lines += ["static void reset_metadata(struct packet *p)", "{"]
    for text in _metadata(context):
        lines += [f"    memset(&{text}, 0, sizeof {text});", f"    {text}.valid = 1;"]
    lines += [
        "}",
        "",
        "static void enqueue(struct packet *p, uint32_t port)",
        "{",
        "    struct queues *queues = queues_of(p->run);",
        "    if (queues)",
        "        put(&queues->egress, p, port);",
        "}",
        "",
        "static void replicate(struct packet *p, const struct wp_replicas *replicas)",
        "{",
        *_indent(context.stamp(context.program.intrinsics.enq_timestamp)),
        "    for (uint32_t i = 0; replicas && i < replicas->count; i++) {",
        *_indent(_indent(context.intrinsic(intrinsics.egress_rid, "replicas->to[i].instance"))),
        "        enqueue(p, replicas->to[i].port);",
        "    }",
        "}",
        "",
    ]
    return lines


def _clone(context: Context, kind: int, begin: list[str]) -> list[str]:
    """Copies for a clone session; ``begin`` makes ``twin`` from ``p``."""
    put_type = [
        line.replace("p->", "twin.", 1)
        for line in context.intrinsic(context.program.intrinsics.instance_type, str(kind))
    ]
    return [
        "    const struct wp_replicas *clones = p->clone ?",
        "        wp_replicas_of(p->run->engine, WP_CLONE, p->clone_session) : NULL;",
        "    if (clones) {",
        "        struct packet twin;",
        *_indent(_indent(begin)),
        "        reset_metadata(&twin);",
        "        keep_fields(&twin, p, p->clone - 1);",
        *_indent(_indent(put_type)),
        "        if (clones->cut < twin.truncate)",
        "            twin.truncate = clones->cut;",
        "        replicate(&twin, clones);",
        "    }",
    ]


def _ingress(context: Context, wanted: Features) -> list[str]:
    intrinsics = context.program.intrinsics
    spec = context.lvalue(intrinsics.egress_spec)
    ahead = bool(context.ahead.stops)
    lines = [
        "static void begin_ingress(struct packet *p)",
        "{",
        "    parse(p);",
        "    verify_checksums(p);",
        *_indent(context.intrinsic(intrinsics.parser_error, "p->error")),
        *_indent(context.intrinsic(intrinsics.checksum_error, "p->checksum_error")),
        "    p->stop = control_ingress(p, 0);" if ahead else "    control_ingress(p);",
        "}",
        "",
        "static void end_ingress(struct packet *p)",
        "{",
        *(["    if (p->stop)", "        control_ingress(p, p->stop);"] if ahead else []),
    ]
    if wanted.clone_ingress:
        port = [
            line.replace("p->", "twin.", 1)
            for line in context.intrinsic(intrinsics.ingress_port, "twin.port")
        ]
        begin = [
            "/* The packet as it arrived, parsed again; its time stamp and length are metadata,",
            " * which are reset below. */",
            "arrive(&twin, p->run, p->port, p->frame, p->frame_length);",
            "reset_metadata(&twin);",
            *port,
            "parse(&twin);",
        ]
        lines += _clone(context, p.InstanceType.INGRESS_CLONE, begin)
    if context.program.digests:
        lines += ["    if (p->digest)", "        learn(p);"]
    lines += ["    if (p->failed)", "        return;"]
    if wanted.resubmit:
        put_type = context.intrinsic(intrinsics.instance_type, str(p.InstanceType.RESUBMIT))
        lines += [
            "    if (p->resubmit) {",
            "        struct packet twin;",
            "        struct queues *queues = queues_of(p->run);",
            "        arrive(&twin, p->run, p->port, p->frame, p->frame_length);",
            "        keep_fields(&twin, p, p->resubmit - 1);",
            *_indent(_indent([line.replace("p->", "twin.", 1) for line in put_type])),
            "        if (queues)",
            "            put(&queues->ingress, &twin, p->port);",
            "        return;",
            "    }",
        ]
    if wanted.multicast and intrinsics.mcast_grp is not None:
        group = context.lvalue(intrinsics.mcast_grp)
        put_type = context.intrinsic(intrinsics.instance_type, str(p.InstanceType.REPLICATION))
        lines += [
            f"    if ({group}) {{",
            *_indent(_indent(put_type)),
            f"        replicate(p, wp_replicas_of(p->run->engine, WP_MULTICAST, {group}));",
            "        return;",
            "    }",
        ]
    lines += [
        f"    uint32_t port = {spec};",
        "    if (port == p->run->engine->drop_port)",
        "        return;",
        *_indent(context.intrinsic(intrinsics.instance_type, str(p.InstanceType.NORMAL))),
        *_indent(context.stamp(context.program.intrinsics.enq_timestamp)),
    ]
    if wanted.queues:
        lines += [
            "    struct queues *queues = p->run->queues;",
            "    if (queues && queues->egress.first < queues->egress.last)",
            "        enqueue(p, port); /* behind its clones */",
            "    else if (p->run->passes++ < WP_PASSES_MAX)",
            "        egress_pass(p, port);",
        ]
    else:
        lines.append("    egress_pass(p, port);")
    return [*lines, "}", ""]


def _check_priority(context: Context) -> list[str]:
    """Nothing leaves a queue that is not there."""
    ref = context.program.intrinsics.priority
    if ref is None:
        return []
    return [f"    if ({context.lvalue(ref)} >= {p.PRIORITY_QUEUES})", "        return;"]


def _after_egress(context: Context, wanted: Features) -> list[str]:
    intrinsics = context.program.intrinsics
    lines = [
        "static void egress_pass(struct packet *p, uint32_t port)",
        "{",
        *_check_priority(context),
        *_indent(context.intrinsic(intrinsics.egress_port, "port")),
        "    /* Any value but the drop port: what ingress left must not drop the packet here. */",
        *_indent(context.intrinsic(intrinsics.egress_spec, "p->run->engine->drop_port + 1")),
        *_indent(context.stamp(intrinsics.egress_global_timestamp)),
        *_indent(context.intrinsic(intrinsics.packet_length, "p->length")),
        "    control_egress(p);",
    ]
    if wanted.clone_egress:
        lines += _clone(context, p.InstanceType.EGRESS_CLONE, ["twin = *p;"])
    lines += [
        f"    if (p->failed || {context.lvalue(intrinsics.egress_spec)} =="
        " p->run->engine->drop_port)",
        "        return;",
        "    update_checksums(p);",
    ]
    if context.program.deparser.statements is not None:
        name = context.names.actions[p.NO_ID]
        lines += [f"    action_{name}(p);", "    if (p->failed)", "        return;"]
    lines.append("    deparse(p);")
    if wanted.recirculate:
        puts = [
            *context.intrinsic(intrinsics.ingress_port, "0"),
            *context.intrinsic(intrinsics.instance_type, str(p.InstanceType.RECIRC)),
        ]
        lines += [
            "    if (p->recirculate) {",
            "        struct packet twin;",
            "        struct queues *queues = queues_of(p->run);",
            "        arrive(&twin, p->run, port, p->frame, p->frame_length);",
            *_indent(_indent([line.replace("p->", "twin.", 1) for line in puts[:1]])),
            "        keep_fields(&twin, p, p->recirculate - 1);",
            *_indent(_indent([line.replace("p->", "twin.", 1) for line in puts[1:]])),
            "        if (queues)",
            "            put(&queues->ingress, &twin, port);",
            "        return;",
            "    }",
        ]
    return [*lines, "    wp_send(p->run, port, p->frame, p->frame_length);", "}", ""]


_FINISH = """\
static void finish(struct packet *p) { end_ingress(p); }
""".splitlines()

_FINISH_QUEUES = """\
/* The rest of a packet, and all its copies. */
static void finish(struct packet *p)
{
    struct wp_run *run = p->run;
    run->passes = 1;
    end_ingress(p);
    struct queues *queues = run->queues;
    if (!queues)
        return;
    while (run->passes++ < WP_PASSES_MAX) {
        if (queues->egress.first < queues->egress.last) {
            uint32_t i = queues->egress.first++;
            egress_pass(&queues->egress.packets[i], queues->egress.ports[i]);
        } else if (queues->ingress.first < queues->ingress.last) {
            struct packet *again = &queues->ingress.packets[queues->ingress.first++];
            begin_ingress(again);
            end_ingress(again);
        } else {
            break;
        }
    }
    queues->ingress.first = queues->ingress.last = 0;
    queues->egress.first = queues->egress.last = 0;
}
""".splitlines()

_PROCESS = """\
static void process(struct wp_run *run, uint32_t port, const struct wp_frame *frames,
                    uint32_t count)
{
    struct packet packet;
    for (uint32_t i = 0; i < count; i++) {
        arrive(&packet, run, port, frames[i].data, frames[i].length);
        begin_ingress(&packet);
        finish(&packet);
    }
}
""".splitlines()

_PROCESS_AHEAD = f"""\
/* A few packets at a time run ahead, each up to a large table; when the first of them looks into
 * it, what it will find there is already on its way from memory. */
static void process(struct wp_run *run, uint32_t port, const struct wp_frame *frames,
                    uint32_t count)
{{
    struct packet packets[{PACKETS}];
    while (count) {{
        uint32_t n = count < {PACKETS} ? count : {PACKETS};
        for (uint32_t i = 0; i < n; i++) {{
            arrive(&packets[i], run, port, frames[i].data, frames[i].length);
            begin_ingress(&packets[i]);
        }}
        for (uint32_t i = 0; i < n; i++)
            wp_fetch_entry(&packets[i].ahead);
        for (uint32_t i = 0; i < n; i++)
            finish(&packets[i]);
        frames += n;
        count -= n;
    }}
}}
""".splitlines()
