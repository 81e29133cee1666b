# Starting, finding and ending the two planes.

# True when the process whose id is on file runs, and is ours.
running() {
    local pid
    pid=$(cat "$STATE/run/$1.pid" 2>/dev/null) || return 1
    [ -n "$pid" ] && grep -q "gatehouse-$1" "/proc/$pid/cmdline" 2>/dev/null
}

# launch NAME COMMAND…: in the background, output to the log, process id on file.
launch() {
    local name=$1
    shift
    setsid "$@" >>"$STATE/log/$name.log" 2>&1 </dev/null &
    echo $! >"$STATE/run/$name.pid"
}

# wait_ready NAME URL: until the URL answers 200, or the process ends, or half a minute is over.
wait_ready() {
    for _ in $(seq 1 300); do
        [ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 2 --cacert "$STATE/control.crt" "$2")" = 200 ] && return
        running "$1" || { tail -n 3 "$STATE/log/$1.log" >&2; die "gatehouse-$1 ended; its log: $STATE/log/$1.log"; }
        sleep 0.1
    done
    die "gatehouse-$1 is not ready after 30 s; its log: $STATE/log/$1.log"
}

initialize() {
    [ -s "$STATE/kek" ] || env "${BARE[@]}" "$BIN/gatehouse-control" kek create "$STATE/kek" >/dev/null || die "no key-encryption key"
    if [ ! -s "$STATE/control.crt" ]; then
        env "${BARE[@]}" "$BIN/gatehouse-control" certificate create --host 127.0.0.1 --host localhost \
            --certificate "$STATE/control.crt" --key "$STATE/control.key" >/dev/null || die "no certificate"
    fi
    env "${BARE[@]}" GATEHOUSE_DATABASE_URL="$OWNER_URL" GATEHOUSE_KEK_FILE="$STATE/kek" "$BIN/gatehouse-control" migrate --migrations "$ROOT/migrations" ||
        die "the database could not be migrated"
    if [ ! -s "$STATE/admin-token" ]; then
        # The root key signs who may sign; it is the operator's, and no server has it.
        [ -s "$STATE/root.key" ] || env "${BARE[@]}" GATEHOUSE_DATABASE_URL="$OWNER_URL" GATEHOUSE_KEK_FILE="$STATE/kek" \
            "$BIN/gatehouse-control" init --root-key-file "$STATE/root.key" || die "the deployment could not be initialized"
        (umask 077 && env "${BARE[@]}" GATEHOUSE_DATABASE_URL="$OWNER_URL" GATEHOUSE_KEK_FILE="$STATE/kek" \
            "$BIN/gatehouse-control" token create --name development >"$STATE/admin-token.new") ||
            die "no administrator's token could be made"
        mv "$STATE/admin-token.new" "$STATE/admin-token"
    fi
}

start_control() {
    running control || launch control env "${BARE[@]}" GATEHOUSE_DATABASE_URL="$APP_URL" GATEHOUSE_KEK_FILE="$STATE/kek" \
        GATEHOUSE_CONTROL_LISTEN="127.0.0.1:$CONTROL_PORT" GATEHOUSE_CONTROL_TLS_CERT="$STATE/control.crt" \
        GATEHOUSE_CONTROL_TLS_KEY="$STATE/control.key" GATEHOUSE_MIGRATIONS="$ROOT/migrations" \
        "$BIN/gatehouse-control" serve
    wait_ready control "$CONTROL_URL/readyz"
}

start_gateway() {
    local token=""
    if [ ! -s "$STATE/gateway/control/identity" ]; then
        token=$(gatehouse create join-token group="$GROUP" ttl_seconds=600 -o value=secret) ||
            die "no join token; the control plane's log: $STATE/log/control.log"
    fi
    running gateway || launch gateway env "${BARE[@]}" GATEHOUSE_CONTROL_URL="$CONTROL_URL" \
        GATEHOUSE_CONTROL_CA_FILE="$STATE/control.crt" GATEHOUSE_STATE_DIR="$STATE/gateway" \
        GATEHOUSE_LISTEN="127.0.0.1:$GATEWAY_PORT" GATEHOUSE_PRIVATE_LISTEN="127.0.0.1:$PRIVATE_PORT" \
        GATEHOUSE_GATEWAY_NAME="$(hostname)" GATEHOUSE_JOIN_TOKEN="$token" "$BIN/gatehouse-gateway"
    wait_ready gateway "http://127.0.0.1:$PRIVATE_PORT/readyz"
}

stop_one() {
    running "$1" || { rm -f "$STATE/run/$1.pid"; return 0; }
    local pid
    pid=$(cat "$STATE/run/$1.pid")
    kill -TERM "$pid" 2>/dev/null || true
    for _ in $(seq 1 100); do
        running "$1" || break
        sleep 0.1
    done
    running "$1" && kill -KILL "$pid" 2>/dev/null || true
    rm -f "$STATE/run/$1.pid"
}

stop_all() {
    stop_one gateway
    stop_one control
    stop_postgres
}

status() {
    local bin
    bin=$(postgres_bin)
    for name in control gateway; do
        if running "$name"; then say "$name: runs (process $(cat "$STATE/run/$name.pid"), log $STATE/log/$name.log)"; else say "$name: stopped"; fi
    done
    if [ -n "$bin" ] && [ -s "$STATE/postgres/PG_VERSION" ] && as_postgres "$bin/pg_ctl" -D "$STATE/postgres" status >/dev/null 2>&1
    then say "postgres: runs (socket $STATE/run)"; else say "postgres: stopped, or not ours"; fi
    running control && running gateway
}
