-- The audit trail only grows. Whoever may migrate could still drop it; the role the agent runs as cannot even try.
alter table ops.audit_log
    add column via text not null default 'commit' check (via in ('commit', 'api', 'agent'));
create index audit_log_at on ops.audit_log (at desc, id desc);

create function ops.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of %.% are only ever added', tg_table_schema, tg_table_name
        using errcode = 'insufficient_privilege';
end
$$;
create trigger audit_log_append_only before update or delete or truncate on ops.audit_log
    for each statement execute function ops.refuse_change();
