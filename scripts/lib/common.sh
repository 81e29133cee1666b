# Where things are, and how the scripts speak.

GATEWAY_PORT=${GATEHOUSE_GATEWAY_PORT:-8080}
PRIVATE_PORT=${GATEHOUSE_PRIVATE_PORT:-9090}
CONTROL_PORT=${GATEHOUSE_CONTROL_PORT:-7070}
# The postgres user cannot read root's home: as root, state is kept outside of it.
if [ "$(id -u)" = 0 ]; then DEFAULT_STATE=/var/lib/gatehouse-dev; else DEFAULT_STATE=$ROOT/.gatehouse; fi
STATE=${GATEHOUSE_DEV_STATE:-$DEFAULT_STATE}
CONTROL_URL=https://127.0.0.1:$CONTROL_PORT
GATEWAY_URL=http://127.0.0.1:$GATEWAY_PORT
BUILD=${GATEHOUSE_BUILD:-release}
BIN=$ROOT/.build/$BUILD
# A release needs no Swift on the machine that it runs on, and no package checks exclusivity at run time (Package.swift
# says why; here it is for the packages we use).
BUILD_FLAGS=()
[ "$BUILD" = debug ] || BUILD_FLAGS=(--static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked)

# The settings of these scripts are not those of the programs: `env "${BARE[@]}" …` runs one without them.
BARE=()
for name in $(compgen -e); do
    case "$name" in GATEHOUSE_*) BARE+=(-u "$name") ;; esac
done

say() { printf '%s\n' "$@"; }
die() { printf 'gatehouse: %s\n' "$*" >&2; exit 1; }

build() {
    command -v swift >/dev/null || die "swift is not installed: get Swift 6.3 from https://swift.org/install and run this again"
    # Nothing is newer than what was built: asking the package manager would take seconds.
    if [ -x "$BIN/gatehouse-gateway" ] && [ -x "$BIN/gatehouse-control" ] && [ -x "$BIN/gatehouse" ] &&
        [ -z "$(find Package.swift Sources -newer "$BIN/.built-by-scripts" -print -quit 2>/dev/null || echo unknown)" ]; then
        return
    fi
    say "Building ($BUILD; the first time takes several minutes)."
    swift build -c "$BUILD" "${BUILD_FLAGS[@]}" --product gatehouse-gateway &&
        swift build -c "$BUILD" "${BUILD_FLAGS[@]}" --product gatehouse-control &&
        swift build -c "$BUILD" "${BUILD_FLAGS[@]}" --product gatehouse ||
        die "the build failed; what is above says where"
    touch "$BIN/.built-by-scripts"
}

# True when something listens on a port of this machine.
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

check_ports() {
    running control || ! listening "$CONTROL_PORT" || die "port $CONTROL_PORT is in use: set GATEHOUSE_CONTROL_PORT to a free one"
    running gateway || ! listening "$GATEWAY_PORT" || die "port $GATEWAY_PORT is in use: set GATEHOUSE_GATEWAY_PORT to a free one"
    running gateway || ! listening "$PRIVATE_PORT" || die "port $PRIVATE_PORT is in use: set GATEHOUSE_PRIVATE_PORT to a free one"
}
