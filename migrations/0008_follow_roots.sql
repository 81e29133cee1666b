-- Which root a snapshot and a timestamp were signed under: with another root, both are made anew.
alter table snapshot add column root_version integer not null default 1 check (root_version >= 1);
alter table snapshot_timestamp add column root_version integer not null default 1 check (root_version >= 1);
