# Something to call: an organization, a project, a key, the built-in mock provider, and those whose keys are at hand.

# The command line as the administrator, against this control plane; contexts of whoever runs this stay out of it.
gatehouse() (
    export GATEHOUSE_ADMIN_URL=$CONTROL_URL GATEHOUSE_ADMIN_CA=$STATE/control.crt XDG_CACHE_HOME=$STATE/cache
    GATEHOUSE_ADMIN_TOKEN=$(cat "$STATE/admin-token")
    export GATEHOUSE_ADMIN_TOKEN
    exec "$BIN/gatehouse" "$@"
)

# created NOUN FIELD=VALUE…: the id of what is made.
created() { gatehouse create "$@" -o name; }

# add_provider NAME KIND BASE_URL MODEL ALIAS SECRET INPUT OUTPUT [CONTEXT]: prices in US dollars for a million tokens.
add_provider() {
    local provider model credential=""
    provider=$(created provider name="$1" kind="$2" ${3:+base_url="$3"})
    # What bounds an answer is needed under a hard budget where the client gives no bound.
    model=$(created model provider="$provider" name="$4" ${9:+context_window="$9" max_output_tokens="$9"})
    # By standard input: a secret on a command line can be seen by everybody on the machine.
    [ -z "$6" ] || credential=$(printf '%s' "$6" | created credential provider="$provider" name=development secret=@-)
    created price model="$model" items.0.meter=input items.0.usd_per_million="$7" \
        items.1.meter=output items.1.usd_per_million="$8" >/dev/null
    created route alias="$5" targets.0.model="$model" ${credential:+targets.0.credential="$credential"} >/dev/null
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
    GROUP=$(created gateway-group name=development)
    organization=$(created organization name=Development)
    gatehouse add gateway-group/organization "$GROUP" "$organization" >/dev/null
    project=$(created project parent="$organization" name="First project")
    key=$(gatehouse create virtual-key project="$project" name="First key" -o value=secret) ||
        die "no key could be made; the control plane's log: $STATE/log/control.log"
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
case ":\$PATH:" in *":$BIN:"*) ;; *) export PATH="$BIN:\$PATH" ;; esac
LINES
}

# One request, its answer, and its record.
request() {
    [ -s "$STATE/seed.env" ] || die "nothing is set up: run scripts/dev up"
    . "$STATE/seed.env"
    say ""
    say "A request:  model mock, \"Hello, Gatehouse\""
    local answer id amount
    answer=$(GATEHOUSE_KEY=$KEY GATEHOUSE_URL=$GATEWAY_URL gatehouse ask mock "Hello, Gatehouse" --timeout 20 -v \
        2>"$STATE/run/asked") ||
        { cat "$STATE/run/asked" >&2; die "the gateway did not answer; its log: $STATE/log/gateway.log"; }
    id=$(sed -n 's/^x-request-id: \([a-z0-9_]*\).*/\1/p' "$STATE/run/asked")
    say "The answer: $answer"
    for _ in $(seq 1 50); do
        if amount=$(gatehouse get usage/record "$id" -o value=amount_usd 2>/dev/null); then
            say "Recorded:   \$$amount, gatehouse get usage/record $id"
            return
        fi
        sleep 0.1
    done
    say "The request is not recorded yet: gatehouse get usage/record $id"
    return 1
}

summary() {
    . "$STATE/seed.env"
    cat <<LINES

Gateway:        $GATEWAY_URL/v1        (metrics http://127.0.0.1:$PRIVATE_PORT/metrics)
Control plane:  $CONTROL_URL/v1   (API at /openapi.json; certificate $STATE/control.crt)
Key:            $KEY
Admin token:    in $STATE/admin-token

Try it:
  eval "\$(scripts/dev env)"
  gatehouse ask mock "Hi"
  gatehouse list virtual-keys
  curl $GATEWAY_URL/v1/chat/completions -H 'Authorization: Bearer $KEY' \\
    -H 'Content-Type: application/json' -d '{"model":"mock","messages":[{"role":"user","content":"Hi"}]}'
LINES
}
