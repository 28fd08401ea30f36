//! The rights of the role the agent runs as: everything it needs, and in `ops.audit_log` to read and to add alone.

use sqlx::{AssertSqlSafe, PgPool};

use super::Error;

/// Gives a role its rights, on tables that came later too. Whoever owns the tables has to call it.
pub async fn grant(owner: &PgPool, role: &str) -> Result<(), sqlx::Error> {
    // Names of roles cannot be bound; doubled quotes keep one a name.
    let role = role.replace('"', "\"\"");
    let sql = format!(
        r#"grant usage on schema ops, routing to "{role}";
           grant select, insert, update, delete on all tables in schema ops, routing to "{role}";
           revoke update, delete, truncate on ops.audit_log from "{role}";
           grant execute on function ops.keep_health_log(integer) to "{role}";"#
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(owner).await?;
    Ok(())
}

/// Whether the role the agent runs as could change the audit trail.
pub async fn may_change_audit(pool: &PgPool) -> Result<bool, Error> {
    let rights = "select has_table_privilege('ops.audit_log', 'UPDATE, DELETE, TRUNCATE')";
    Ok(sqlx::query_scalar(rights).fetch_one(pool).await?)
}
