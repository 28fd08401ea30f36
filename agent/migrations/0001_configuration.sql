-- Configuration as git says it. Written by the leading agent alone, in one transaction a step, read by anyone.
create extension if not exists btree_gist;
create schema if not exists ops;
create schema if not exists routing;

create table ops.mnos (
    id             text primary key,
    name           text not null,
    country        text not null,
    spec           jsonb not null,
    spec_hash      text not null,
    contracts_hash text not null,
    source_path    text not null,
    source_commit  text not null,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    deleted_at     timestamptz
);

create table ops.operators (
    id               text primary key,
    mno_id           text not null references ops.mnos (id),
    display_name     text not null,
    status           text not null check (status in ('ACTIVE', 'INACTIVE')),
    host             text not null,
    port             integer not null check (port between 1 and 65535),
    system_id        text not null,
    bind_mode        text not null check (bind_mode in ('TRANSCEIVER', 'TRANSMITTER', 'RECEIVER')),
    tps_outbound     bigint not null,
    tps_inbound      bigint not null,
    spec             jsonb not null,
    spec_hash        text not null,
    routes_hash      text not null,
    -- Hash of the sealed password that was written to Vault; the sealed text itself stays in git.
    credentials_hash text,
    source_path      text not null,
    source_commit    text not null,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    deleted_at       timestamptz,
    -- Deferred, so that two operators may swap endpoints in one commit.
    constraint operators_endpoint_unique exclude using btree (host with =, port with =, system_id with =)
        where (deleted_at is null) deferrable initially deferred
);
create index operators_mno on ops.operators (mno_id) where deleted_at is null;

create table ops.routing_rules (
    operator_id text not null references ops.operators (id) on update cascade,
    -- Digits without `+`.
    prefix      text not null check (prefix ~ '^[1-9][0-9]{0,14}$'),
    priority    integer not null,
    weight      integer not null,
    cost        numeric(18, 6),
    currency    text,
    active      boolean not null,
    narrows     text,
    split       text,
    primary key (operator_id, prefix)
);
create index routing_rules_prefix on ops.routing_rules (prefix);

create table ops.tps_contracts (
    mno_id         text not null references ops.mnos (id),
    bind_direction text not null check (bind_direction in ('OUTBOUND', 'INBOUND')),
    contract_ref   text not null,
    contracted_tps bigint not null,
    effective_from date not null,
    effective_to   date,
    document       text not null,
    fine_schedule  jsonb not null default '[]',
    -- Over before the step that wrote the row. Ended contracts are history: no check looks at them any more.
    ended          boolean not null,
    primary key (mno_id, bind_direction, contract_ref),
    constraint tps_contracts_no_overlap
        exclude using gist (mno_id with =, bind_direction with =, daterange(effective_from, effective_to) with &&)
        where (not ended) deferrable initially deferred
);

create table routing.tenant_preferences (
    tenant_id      text not null,
    mno_id         text not null references ops.mnos (id),
    bind_direction text not null check (bind_direction in ('OUTBOUND', 'INBOUND')),
    reserved_tps   bigint not null,
    effective_from date not null,
    effective_to   date,
    primary key (tenant_id, mno_id, bind_direction, effective_from)
);

-- What changed in routing at which step; feeds the change feed of the routing table.
create table ops.routing_changes (
    generation  bigint not null,
    operator_id text not null,
    prefix      text not null,
    change      text not null check (change in ('added', 'updated', 'removed')),
    primary key (generation, operator_id, prefix)
);
