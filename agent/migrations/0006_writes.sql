-- A password that was written ahead of its commit by the API is left alone until then.
alter table ops.secret_intents add column held_until timestamptz;

-- Answers to calls that carried an Idempotency-Key, so that a call that is sent again gets the first one's.
create table ops.idempotency_keys (
    -- Digest of the caller and the key.
    key        text primary key,
    -- Digest of the request: another one under the same key is refused.
    request    text not null,
    -- Absent while the call is under way.
    status     integer,
    headers    jsonb,
    body       jsonb,
    created_at timestamptz not null default now()
);
create index idempotency_keys_created_at on ops.idempotency_keys (created_at);
