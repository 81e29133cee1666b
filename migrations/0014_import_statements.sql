-- What providers say was used and what it costs, to be compared with what gateways reported.

create table provider_statement (
    id uuid primary key,
    provider_id uuid not null references provider (id) on delete restrict,
    -- The form that the file had: see docs/reconciliation.md.
    format text not null,
    -- The first day (UTC) and the last one that it has lines of.
    first_day date not null,
    last_day date not null check (last_day >= first_day),
    lines integer not null check (lines between 1 and 20000),
    -- The same file twice is a mistake.
    sha256 bytea not null check (length(sha256) = 32),
    created_at timestamptz not null,
    unique (provider_id, sha256)
);
create index provider_statement_provider on provider_statement (provider_id, id);
grant select, insert, update, delete on provider_statement to gatehouse_app;

-- Sums by day and model, as the provider calls it; null is what the file says nothing about.
create table provider_statement_line (
    statement_id uuid not null references provider_statement (id) on delete cascade,
    day date not null,
    model text not null check (length(model) between 1 and 200),
    requests bigint,
    -- Every token of the prompt, cached or not; and every one of the answer.
    input_tokens bigint,
    output_tokens bigint,
    amount_nano_usd bigint,
    primary key (statement_id, day, model)
);
grant select, insert, update, delete on provider_statement_line to gatehouse_app;
