# A private PostgreSQL: on a socket in the state folder, no TCP port, as an unprivileged user.

# The folder of the newest PostgreSQL on this machine; empty when there is none.
postgres_bin() {
    local newest
    newest=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -n | tail -n 1)
    if [ -n "$newest" ]; then echo "$newest"; elif command -v initdb >/dev/null; then dirname "$(command -v initdb)"; fi
}

# Runs a command as whom PostgreSQL may run as: it refuses root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=postgres --regid=postgres --init-groups env -i -C / PATH="$PATH" LC_ALL=C.UTF-8 "$@"
    else
        env LC_ALL=C.UTF-8 "$@"
    fi
}

start_postgres() {
    if [ -n "${GATEHOUSE_DATABASE_URL:-}" ]; then
        OWNER_URL=$GATEHOUSE_DATABASE_URL
        APP_URL=$GATEHOUSE_DATABASE_URL
        return
    fi
    local bin data=$STATE/postgres socket=$STATE/run
    bin=$(postgres_bin)
    [ -n "$bin" ] || die "PostgreSQL is not installed: run scripts/dev install"
    [ ${#socket} -lt 90 ] || die "the path $socket is too long for a socket: set GATEHOUSE_DEV_STATE to a shorter one"
    if [ ! -s "$data/PG_VERSION" ]; then
        say "Creating a private PostgreSQL in $data."
        if [ "$(id -u)" = 0 ]; then
            mkdir -p "$data" && chown postgres:postgres "$data" "$socket"
        fi
        as_postgres "$bin/initdb" -D "$data" -U postgres --auth=trust -E UTF8 --locale=C.UTF-8 --data-checksums \
            >"$STATE/log/initdb.log" 2>&1 || die "initdb failed: $STATE/log/initdb.log"
        as_postgres tee -a "$data/postgresql.conf" >/dev/null <<CONF
listen_addresses = ''
unix_socket_directories = '$socket'
unix_socket_permissions = 0700
max_connections = 100
CONF
    fi
    if ! as_postgres "$bin/pg_ctl" -D "$data" status >/dev/null 2>&1; then
        rm -f "$data/postmaster.pid.stale"
        as_postgres "$bin/pg_ctl" -D "$data" -l "$data/server.log" -w -t 30 start >/dev/null ||
            die "PostgreSQL did not start: $data/server.log"
    fi
    # One role owns the schema and migrates, the other serves and cannot touch the audit log.
    "$bin/psql" -qAt -v ON_ERROR_STOP=1 -h "$socket" -U postgres -d postgres >/dev/null <<'SQL' || die "the database could not be prepared"
select 'create role gatehouse_app nologin' where not exists (select from pg_roles where rolname = 'gatehouse_app') \gexec
select 'create role gatehouse_owner login' where not exists (select from pg_roles where rolname = 'gatehouse_owner') \gexec
select 'create role gatehouse login in role gatehouse_app' where not exists (select from pg_roles where rolname = 'gatehouse') \gexec
select 'create database gatehouse owner gatehouse_owner' where not exists (select from pg_database where datname = 'gatehouse') \gexec
SQL
    OWNER_URL="postgresql://gatehouse_owner@/gatehouse?host=$socket"
    APP_URL="postgresql://gatehouse@/gatehouse?host=$socket"
}

stop_postgres() {
    local bin
    bin=$(postgres_bin)
    [ -n "$bin" ] && [ -s "$STATE/postgres/postmaster.pid" ] || return 0
    as_postgres "$bin/pg_ctl" -D "$STATE/postgres" -m fast -w -t 30 stop >/dev/null 2>&1 || true
}
