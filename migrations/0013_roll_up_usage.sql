-- Reports: sums of usage by minute, hour and day (UTC), of each record once.
--
-- They are folded by a job that follows what arrived, not in the transaction that stores the records: there they would
-- make every gateway's batch wait for the rows that all of them add to. What waits to be folded is in usage_unfolded,
-- written in the transaction that stores the records and the stream's watermark, removed in the one that adds them to
-- all three levels. So each record is folded once, in whichever order transactions commit, also in a database that was
-- restored and gets usage again; and at every commit stored = folded + unfolded, in records and in money.

-- Whose usage a row of sums is: every combination of dimensions that there was, as one number. The nil id stands for
-- none: no owner, no model that was reached, no provider.
create table usage_series (
    id bigint generated always as identity primary key,
    organization_id uuid not null,
    project_id uuid not null,
    key_id uuid not null,
    owner_id uuid not null,
    model_id uuid not null,
    provider_id uuid not null,
    gateway_id uuid not null,
    -- The number of an outcome, and the HTTP status that the client was sent; 0 for none.
    outcome integer not null,
    status integer not null,
    unique (organization_id, project_id, key_id, owner_id, model_id, provider_id, gateway_id, outcome, status)
);
create index usage_series_project on usage_series (project_id);
create index usage_series_key on usage_series (key_id);
grant select, insert, update, delete on usage_series to gatehouse_app;

-- One table a level. A sum for each meter that usage_event has: those columns are taken from there.
do $$
declare
    level text;
    units text;
begin
    -- What both have is a meter or money; usage_daily had no sum of the meter that counts requests.
    select string_agg(format('%I bigint not null default 0,', e.attname), ' ' order by e.attnum) into units
    from pg_attribute e
    where e.attrelid = 'usage_event'::regclass and e.atttypid = 'bigint'::regtype and e.attname <> 'cost_nano_usd'
        and (e.attname = 'request' or exists (
            select from pg_attribute d where d.attrelid = 'usage_daily'::regclass and d.attname = e.attname));
    foreach level in array array['usage_minute', 'usage_hour', 'usage_day'] loop
        execute format('create table %I (starts_at timestamptz not null,
            series_id bigint not null references usage_series (id) on delete restrict,
            requests bigint not null default 0,
            refusals bigint not null default 0,
            estimates bigint not null default 0,
            %s
            cost_nano_usd bigint not null default 0,
            primary key (series_id, starts_at)) with (fillfactor = 80)', level, units);
        -- A report over all series reads a range of time.
        execute format('create index %I on %I (starts_at)', level || '_time', level);
        execute format('grant select, insert, update, delete on %I to gatehouse_app', level);
    end loop;
end $$;

-- Records that are stored and not folded: one row for each batch that stored any.
create table usage_unfolded (
    stream_id uuid not null,
    from_seq bigint not null,
    to_seq bigint not null check (to_seq >= from_seq),
    ingested_at timestamptz not null,
    records bigint not null check (records > 0),
    cost_nano_usd bigint not null,
    primary key (stream_id, from_seq)
);
create index usage_unfolded_time on usage_unfolded (ingested_at, stream_id, from_seq);
grant select, insert, update, delete on usage_unfolded to gatehouse_app;

-- What was stored until now is folded like what arrives.
insert into usage_unfolded (stream_id, from_seq, to_seq, ingested_at, records, cost_nano_usd)
select stream_id, min(seq), max(seq), ingested_at, count(*), sum(cost_nano_usd)
from usage_event group by stream_id, ingested_at;
drop table usage_daily;

-- Makes the block range index know what came since it was last told, of the days from the one to the other instant:
-- else whoever looks for what is new reads everything that is not summarized yet. Never waits for more than a moment.
create function usage_event_summarize(low timestamptz, high timestamptz) returns integer language plpgsql
security definer set search_path = pg_catalog, pg_temp set lock_timeout = '200ms' as $$
declare
    leaf regclass;
    ranges integer := 0;
begin
    for leaf in
        select i.inhrelid::regclass from pg_inherits i
        join pg_index x on x.indexrelid = i.inhrelid join pg_class t on t.oid = x.indrelid
        where i.inhparent = 'public.usage_event_time'::regclass and (t.relname = 'usage_event_default'
            or t.relname between 'usage_event_' || to_char(low at time zone 'UTC', 'YYYYMMDD')
                and 'usage_event_' || to_char(high at time zone 'UTC', 'YYYYMMDD'))
    loop
        begin
            ranges := ranges + brin_summarize_new_values(leaf);
        exception when lock_not_available then
            null;
        end;
    end loop;
    return ranges;
end $$;
revoke execute on function usage_event_summarize(timestamptz, timestamptz) from public;
grant execute on function usage_event_summarize(timestamptz, timestamptz) to gatehouse_app;

-- The ledger is checked over every level. The last check is made anew.
delete from ledger_check;
alter table ledger_check drop column daily_cost, drop column days_to, drop column closed_daily_cost,
    add column unfolded_records bigint not null,
    add column unfolded_cost bigint not null;

-- What the last check found in each level; what is before `closed_to` was summed once.
create table ledger_level (
    level text primary key check (level in ('minute', 'hour', 'day')),
    records bigint not null,
    cost_nano_usd bigint not null,
    closed_to timestamptz not null,
    closed_records bigint not null,
    closed_cost bigint not null
);
grant select, insert, update, delete on ledger_level to gatehouse_app;
