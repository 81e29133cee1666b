-- What the leases of an account come to is kept beside them: granting and thresholds read a row of each account, and not
-- one of each process that ever held some of it.

-- What leases hold together: `held`, and what waits in budget_held_change. Whoever renews changes it under the lock that he
-- has on the account anyway; everybody else, who has none, adds a row there.
alter table budget_account
    add column held numeric(30, 0) not null default 0,
    -- Gateways that renewed within two minutes when they were last counted, and each that came since: never too few.
    add column sharers bigint not null default 0 check (sharers >= 0),
    -- Null: they are to be counted.
    add column counted_at timestamptz;
alter table budget_account set (fillfactor = 80);

-- Raised by whoever adds what a change of the lease makes to `held` himself. Of any other change, a trigger notes it.
alter table budget_lease add column summed bigint not null default 0;

-- What is not in `held` yet: rows are only added by those who store usage or close leases, and taken away by who holds the
-- account. (With one row an account, batches of usage would wait for renewals and those for them.) There are few: usage
-- that arrives changes what a lease holds only where more was spent than granted, as of budgets that only count.
create table budget_held_change (
    account_id bigint not null,
    amount bigint not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
create index budget_held_change_account on budget_held_change (account_id);
grant select, insert, delete on budget_held_change to gatehouse_app;

create function budget_held_note() returns trigger language plpgsql as $$
begin
    insert into budget_held_change (account_id, amount) values (new.account_id,
        greatest(new.granted - new.returned, new.posted, new.settled)
        - coalesce(greatest(old.granted - old.returned, old.posted, old.settled), 0));
    return null;
end $$;
create trigger budget_held_made after insert on budget_lease for each row
    when (greatest(new.granted - new.returned, new.posted, new.settled) <> 0) execute function budget_held_note();
create trigger budget_held_changed after update on budget_lease for each row
    when (new.summed = old.summed and greatest(new.granted - new.returned, new.posted, new.settled)
        <> greatest(old.granted - old.returned, old.posted, old.settled)) execute function budget_held_note();

-- The cost of the records charged to an account: `settled` here, and what the marks of those that look at thresholds say
-- besides. Taking a mark away adds it here, whoever does it.
create table budget_account_spent (
    account_id bigint primary key references budget_account (id) on delete restrict,
    settled numeric(30, 0) not null
) with (fillfactor = 70);
grant select, insert, update on budget_account_spent to gatehouse_app;

alter table budget_account_unseen add column settled bigint not null default 0;

create or replace function budget_lease_mark() returns trigger language plpgsql as $$
begin
    insert into budget_account_unseen (account_id, settled)
    values (new.account_id, new.settled - coalesce(old.settled, 0));
    return null;
end $$;
drop trigger budget_lease_unseen on budget_lease;
create trigger budget_settled_made after insert on budget_lease for each row
    when (new.settled <> 0) execute function budget_lease_mark();
create trigger budget_settled_changed after update of settled on budget_lease for each row
    when (new.settled <> old.settled) execute function budget_lease_mark();

create function budget_account_spend() returns trigger language plpgsql as $$
begin
    insert into budget_account_spent as s (account_id, settled)
    select account_id, sum(settled) from gone group by account_id having sum(settled) <> 0 order by account_id
    on conflict (account_id) do update set settled = s.settled + excluded.settled;
    return null;
end $$;
create trigger budget_account_spent after delete on budget_account_unseen referencing old table as gone
    for each statement execute function budget_account_spend();

-- Nobody writes leases until this is committed: the tables are locked by what is above.
update budget_account a set held = l.held, sharers = l.sharers
from (
    select account_id, sum(greatest(granted - returned, posted, settled)) as held,
        count(distinct gateway_id) filter (where state = 'open') as sharers
    from budget_lease group by account_id) l
where l.account_id = a.id and (l.held <> 0 or l.sharers <> 0);
insert into budget_account_spent (account_id, settled)
select account_id, sum(settled) from budget_lease group by account_id having sum(settled) <> 0 order by account_id;

-- Which accounts the ledger's check compared last, up to which one, and those of which the sums are not what leases come to.
alter table ledger_check add column accounts_to bigint not null default 0,
    add column accounts_differing bigint[] not null default '{}';
