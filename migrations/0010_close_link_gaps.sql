-- The link between gateways and control plane: usage that will never come, and processes that share an identity.

-- Records that a gateway declared lost. The stream's watermark passes them, so that what follows is not held up.
create table usage_gap (
    stream_id uuid not null references usage_stream (id) on delete restrict,
    from_seq bigint not null check (from_seq >= 1),
    to_seq bigint not null check (to_seq >= from_seq),
    gateway_id uuid not null references gateway (id) on delete restrict,
    -- released: acknowledged once and let go by the gateway; missing: not in its spool.
    reason text not null check (reason in ('released', 'missing')),
    reported_at timestamptz not null,
    primary key (stream_id, from_seq)
);
create index usage_gap_time on usage_gap (reported_at, stream_id, from_seq);
create index usage_gap_gateway on usage_gap (gateway_id, reported_at, stream_id, from_seq);
grant select, insert, update, delete on usage_gap to gatehouse_app;

alter table ledger_check add column lost bigint not null default 0;

-- Processes of a gateway, numbered as they started. Two that live at once are both fenced, for as long as they run.
create table gateway_process (
    gateway_id uuid not null references gateway (id) on delete cascade,
    -- Random for each start, signed with every call: 64 bits, here as a signed number.
    process bigint not null,
    epoch bigint not null check (epoch >= 1),
    started_at timestamptz not null,
    fenced_at timestamptz,
    primary key (gateway_id, process),
    unique (gateway_id, epoch)
);
grant select, insert, update, delete on gateway_process to gatehouse_app;

alter table gateway_status drop column other_process, drop column other_process_at;
