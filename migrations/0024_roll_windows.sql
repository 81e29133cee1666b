-- Rolling windows of budgets: at every instant, what was spent in the last so many seconds is at most the amount.

-- Null for windows of the calendar. The length goes with the period, and no zone's clock and no rest of a window before
-- mean anything.
alter table budget add column rolling_seconds bigint check (rolling_seconds is null or (period <> 'total'
    and not carry_over and time_zone = 'UTC' and rolling_seconds = case period when 'minute' then 60 when 'hour' then 3600
        when 'day' then 86400 when 'week' then 604800 when 'month' then 2592000 when 'quarter' then 7776000
        else 31536000 end));

-- What was settled of a rolling budget's account by an instant, with what was spent before it was opened: what has left
-- the window is the newest of these that is as old as the window. At most one in each step, which is a sixtieth of the
-- window; it moves on within its step while money is spent. Old ones are taken away: some 64 of an account are left.
create table budget_checkpoint (
    account_id bigint not null references budget_account (id) on delete restrict,
    -- Which step since 1970.
    step bigint not null,
    -- Never before what it counts had arrived.
    taken_at timestamptz not null,
    settled bigint not null check (settled >= 0),
    primary key (account_id, step)
) with (fillfactor = 70);
grant select, insert, update, delete on budget_checkpoint to gatehouse_app;

-- A threshold of a rolling window is told again after less was spent in between.
grant delete on budget_threshold_crossing to gatehouse_app;
