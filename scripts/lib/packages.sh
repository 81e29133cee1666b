# The system packages that building and running need, on Debian and Ubuntu.

needs() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed' || MISSING+=("$1"); }

# install_packages [PACKAGE...]: those of the product, and more that a test needs.
install_packages() {
    MISSING=()
    if ! command -v dpkg-query >/dev/null; then
        say "This is not Debian or Ubuntu: libpq, libcurl, OpenSSL, OpenLDAP, zlib (with headers), PostgreSQL and curl must be there."
        return
    fi
    for package in libpq-dev libcurl4-openssl-dev libssl-dev libldap2-dev zlib1g-dev curl ca-certificates "$@"; do
        needs "$package"
    done
    # A server only when none is given and none is there.
    if [ -z "${GATEHOUSE_DATABASE_URL:-}" ] && [ -z "$(postgres_bin)" ]; then MISSING+=(postgresql); fi
    [ ${#MISSING[@]} = 0 ] && return
    say "Installing: ${MISSING[*]}"
    local as=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "missing packages: ${MISSING[*]}; install them as root and run this again"
        as=(sudo)
    fi
    # Debian would make and start a cluster of its own with the package; ours is private.
    if [[ " ${MISSING[*]} " == *" postgresql "* ]] && [ ! -e /etc/postgresql-common/createcluster.d/gatehouse.conf ]; then
        "${as[@]}" mkdir -p /etc/postgresql-common/createcluster.d
        echo "create_main_cluster = false" | "${as[@]}" tee /etc/postgresql-common/createcluster.d/gatehouse.conf >/dev/null
    fi
    "${as[@]}" apt-get update -qq || die "apt-get update failed; install these by hand: ${MISSING[*]}"
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${MISSING[@]}" >/dev/null ||
        die "apt-get could not install: ${MISSING[*]}"
}
