-- What each gateway's process may spend of a budget beyond what it was granted while nobody can be asked.

alter table budget drop constraint budget_away_check;
alter table budget add constraint budget_away_check check (away in ('deny', 'allowance', 'open'));
alter table budget add column away_allowance_nano_usd bigint
    check (away_allowance_nano_usd between 1 and 1000000000000000000),
    add constraint budget_away_allowance_check
        check ((away = 'allowance') = (away_allowance_nano_usd is not null));
