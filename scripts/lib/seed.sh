# Something to call: an organization, a project, a key, the built-in mock provider, and those whose keys are at hand.

api() { # METHOD PATH [BODY]
    curl -sS --max-time 20 --cacert "$STATE/control.crt" -X "$1" -H "Authorization: Bearer $(cat "$STATE/admin-token")" \
        -H 'Content-Type: application/json' ${3:+--data-binary "$3"} "$CONTROL_URL$2"
}

post() {
    local answer
    answer=$(api POST "$1" "$2")
    case "$answer" in
        *'"id":'* | *'"token":'*) printf '%s' "$answer" ;;
        *) printf 'gatehouse: POST %s was refused: %s\n' "$1" "$answer" >&2; return 1 ;;
    esac
}

created() { post "$1" "$2" | member id; }

# add_provider NAME KIND BASE_URL MODEL ALIAS SECRET INPUT OUTPUT [CONTEXT]: prices in US dollars for a million tokens.
add_provider() {
    local provider model credential="" target
    provider=$(created /v1/providers "{\"name\":\"$1\",\"kind\":\"$2\",\"base_url\":\"$3\"}")
    # What bounds an answer is needed under a hard budget where the client gives no bound.
    model=$(created /v1/models "{\"provider\":\"$provider\",\"name\":\"$4\"${9:+,\"context_window\":$9,\"max_output_tokens\":$9}}")
    target="{\"model\":\"$model\""
    if [ -n "$6" ]; then
        # By standard input: a secret on a command line can be seen by everybody on the machine.
        credential=$(printf '{"provider":"%s","name":"development","secret":"%s"}' "$provider" "$6" |
            curl -sS --max-time 20 --cacert "$STATE/control.crt" -H "Authorization: Bearer $(cat "$STATE/admin-token")" \
                -H 'Content-Type: application/json' --data-binary @- "$CONTROL_URL/v1/credentials" | member id)
        target="$target,\"credential\":\"$credential\""
    fi
    created /v1/prices "{\"model\":\"$model\",\"items\":[{\"meter\":\"input\",\"usd_per_million\":\"$7\"},{\"meter\":\"output\",\"usd_per_million\":\"$8\"}]}" >/dev/null
    created /v1/routes "{\"alias\":\"$5\",\"targets\":[$target}]}" >/dev/null
    say "  $5: $1, \$$7 in and \$$8 out for a million tokens"
}

# found VARIABLE NAME BASE_URL MODEL INPUT OUTPUT: adds an OpenAI-compatible provider when its key is in the environment.
found() {
    local secret=${!1:-} kind=openai-compatible
    [ -n "$secret" ] || return 0
    [ "$2" = openai ] && kind=openai
    add_provider "$2" "$kind" "$3" "$4" "$4" "$secret" "$5" "$6"
}

seed() {
    if [ -s "$STATE/seed.env" ]; then . "$STATE/seed.env"; return; fi
    say "Creating an organization, a project, a key and models:"
    local organization project key
    GROUP=$(created /v1/gateway-groups '{"name":"development"}')
    organization=$(created /v1/organizations '{"name":"Development"}')
    api PUT "/v1/gateway-groups/$GROUP/organizations/$organization" >/dev/null
    project=$(created /v1/projects "{\"parent\":\"$organization\",\"name\":\"First project\"}")
    key=$(post /v1/virtual-keys "{\"project\":\"$project\",\"name\":\"First key\"}" | member secret)
    [ -n "$key" ] || die "no key could be made; the control plane's log: $STATE/log/control.log"
    add_provider mock mock "" mock-1 mock "" 1.00 2.00 8192
    # List prices, November 2026, one model each; prices/ has the book of all.
    found OPENAI_API_KEY openai https://api.openai.com/v1 gpt-4o-mini 0.15 0.60
    found ANTHROPIC_API_KEY anthropic https://api.anthropic.com/v1 claude-haiku-4-5 1.00 5.00
    found GEMINI_API_KEY gemini https://generativelanguage.googleapis.com/v1beta/openai gemini-2.5-flash 0.30 2.50
    found MISTRAL_API_KEY mistral https://api.mistral.ai/v1 mistral-small-latest 0.10 0.30
    found GROQ_API_KEY groq https://api.groq.com/openai/v1 llama-3.1-8b-instant 0.05 0.08
    found DEEPSEEK_API_KEY deepseek https://api.deepseek.com/v1 deepseek-chat 0.28 0.42
    found XAI_API_KEY xai https://api.x.ai/v1 grok-3-mini 0.30 0.50
    found TOGETHER_API_KEY together https://api.together.xyz/v1 meta-llama/Llama-3.3-70B-Instruct-Turbo 0.88 0.88
    found FIREWORKS_API_KEY fireworks https://api.fireworks.ai/inference/v1 accounts/fireworks/models/deepseek-v3 0.56 1.68
    found OPENROUTER_API_KEY openrouter https://openrouter.ai/api/v1 openai/gpt-4o-mini 0.15 0.60
    (umask 077 && printf 'GROUP=%s\nORGANIZATION=%s\nPROJECT=%s\nKEY=%s\n' "$GROUP" "$organization" "$project" "$key" >"$STATE/seed.env.new")
    mv "$STATE/seed.env.new" "$STATE/seed.env"
    KEY=$key
}

env_lines() {
    [ -s "$STATE/seed.env" ] || die "nothing is set up: run scripts/dev up"
    . "$STATE/seed.env"
    cat <<LINES
export GATEHOUSE_URL=$GATEWAY_URL
export GATEHOUSE_KEY=$KEY
export GATEHOUSE_PRIVATE_URL=http://127.0.0.1:$PRIVATE_PORT
export GATEHOUSE_ADMIN_URL=$CONTROL_URL
export GATEHOUSE_ADMIN_TOKEN=$(cat "$STATE/admin-token")
export GATEHOUSE_ADMIN_CA=$STATE/control.crt
LINES
}

# One request, its answer, and its record.
request() {
    [ -s "$STATE/seed.env" ] || die "nothing is set up: run scripts/dev up"
    . "$STATE/seed.env"
    say ""
    say "A request:  model mock, \"Hello, Gatehouse\""
    local answer id record
    answer=$(curl -sS --max-time 20 -D "$STATE/run/head" -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \
        --data-binary '{"model":"mock","messages":[{"role":"user","content":"Hello, Gatehouse"}]}' "$GATEWAY_URL/v1/chat/completions") ||
        die "the gateway did not answer; its log: $STATE/log/gateway.log"
    id=$(sed -n 's/^x-request-id: \([a-z0-9_]*\).*/\1/p' "$STATE/run/head")
    say "The answer: $(printf '%s' "$answer" | member content)"
    for _ in $(seq 1 50); do
        record=$(api GET "/v1/usage/records?request=$id")
        case "$record" in *"$id"*) break ;; esac
        sleep 0.1
    done
    case "$record" in
        *"$id"*) say "Recorded:   \$$(printf '%s' "$record" | member amount_usd), GET $CONTROL_URL/v1/usage/records?request=$id" ;;
        *) say "The request is not recorded yet: GET $CONTROL_URL/v1/usage/records?request=$id"; return 1 ;;
    esac
}

summary() {
    . "$STATE/seed.env"
    cat <<LINES

Gateway:        $GATEWAY_URL/v1        (metrics http://127.0.0.1:$PRIVATE_PORT/metrics)
Control plane:  $CONTROL_URL/v1   (API at /openapi.json; certificate $STATE/control.crt)
Key:            $KEY
Admin token:    in $STATE/admin-token

Try it:
  curl $GATEWAY_URL/v1/chat/completions -H 'Authorization: Bearer $KEY' \\
    -H 'Content-Type: application/json' -d '{"model":"mock","messages":[{"role":"user","content":"Hi"}]}'
LINES
}
