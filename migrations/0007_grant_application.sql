-- What the control plane may do when it serves: everything but to change the audit log or the schema.
-- `serve` connects as any login that is a member of gatehouse_app; `migrate` as the owner of the schema.
do $$
begin
    if not exists (select from pg_roles where rolname = 'gatehouse_app') then
        create role gatehouse_app nologin;
    end if;
end $$;
grant usage on schema public to gatehouse_app;
grant select, insert, update, delete on all tables in schema public to gatehouse_app;
grant usage on all sequences in schema public to gatehouse_app;
revoke insert, update, delete, truncate on audit_log, audit_leaf from gatehouse_app;
revoke execute on function audit_append(uuid, bytea) from public;
grant execute on function audit_append(uuid, bytea) to gatehouse_app;
