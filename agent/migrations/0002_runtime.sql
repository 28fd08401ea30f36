-- Facts that are not configuration: what the agents did, and what happened to the binds.

-- One row: the step the stores are equal to. `generation` grows by one with each applied step.
create table ops.sync_state (
    singleton      boolean primary key default true check (singleton),
    applied_commit text,
    generation     bigint not null default 0,
    -- The fencing number of the agent that applied it: a lower one may not write any more.
    fence          bigint not null default 0,
    applied_at     timestamptz
);
insert into ops.sync_state default values;

create table ops.leases (
    name       text primary key,
    holder     text not null,
    fence      bigint not null,
    expires_at timestamptz not null
);

create table ops.sync_runs (
    id              bigint generated always as identity primary key,
    commit          text not null,
    previous_commit text,
    outcome         text not null check (outcome in ('applied', 'rejected', 'held', 'failed')),
    generation      bigint,
    started_at      timestamptz not null,
    finished_at     timestamptz not null default now(),
    -- Change counts of an applied run, findings of a rejected one, the guardrails of a held one.
    detail          jsonb not null default '{}',
    -- Commits between the previous and this one that a newer one made needless.
    skipped         jsonb not null default '[]'
);
create index sync_runs_commit on ops.sync_runs (commit);

-- Events that are owed. Written with the change itself; published in id order; kept for a while for the record.
create table ops.outbox (
    seq          bigint generated always as identity primary key,
    id           uuid not null unique,
    subject      text not null,
    object_id    text not null,
    payload      jsonb not null,
    created_at   timestamptz not null default now(),
    published_at timestamptz
);
create index outbox_unpublished on ops.outbox (seq) where published_at is null;

-- A password about to be written to Vault. Finished or undone by whoever finds it after a crash.
create table ops.secret_intents (
    operator_id text primary key,
    commit      text not null,
    action      text not null check (action in ('write', 'delete')),
    -- Version in Vault before; null where there was none or the engine keeps no versions.
    version     bigint,
    created_at  timestamptz not null default now()
);

create table ops.audit_log (
    id         bigint generated always as identity primary key,
    at         timestamptz not null default now(),
    actor      text not null,
    committer  text,
    action     text not null,
    object     text not null,
    -- Before and after by field, without secrets.
    detail     jsonb not null default '{}',
    commit     text,
    generation bigint,
    plan_hash  text
);
create index audit_log_object on ops.audit_log (object, at desc);

create table ops.operator_health_log (
    id           bigint generated always as identity primary key,
    operator_id  text not null,
    previous     text not null,
    state        text not null,
    reason       text not null,
    connector_id text,
    at           timestamptz not null,
    recorded_at  timestamptz not null default now()
);
create index operator_health_log_operator on ops.operator_health_log (operator_id, at desc);

-- The present state of each operator that was ever heard of, so that a restart forgets nothing.
create table ops.operator_health (
    operator_id text primary key,
    state       text not null,
    since       timestamptz not null,
    view        jsonb not null
);
