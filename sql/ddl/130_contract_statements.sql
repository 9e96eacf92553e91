-- platform: the contracts of the tables as statements, so that a run need not load pandera and Ibis to make them again.
create table if not exists platform.contract_statements (
    table_name text primary key,
    digest text not null,
    compiled jsonb not null
);

comment on table platform.contract_statements is
'The statement that judges each table by its contract, as the last db start, up or materialize compiled it.';
comment on column platform.contract_statements.table_name is 'The table, as schema.table.';
comment on column platform.contract_statements.digest is
'What it was compiled from: schemas, compiler, versions, columns and keys. Another digest is compiled anew.';
comment on column platform.contract_statements.compiled is 'The rules, and the statements over all rows and over some days.';
