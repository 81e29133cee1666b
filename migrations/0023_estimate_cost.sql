-- What a gateway reserves of a budget, and whether it lowers what an answer may have so that a request fits.

alter table budget add column estimate text not null default 'bound' check (estimate in ('bound', 'learned'));
alter table budget add column lower_max_tokens boolean not null default false;
