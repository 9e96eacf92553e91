-- repeatable: what the two roles may do. reader never sees a schema with personal data.
grant usage on schema platform, staging, production, warehouse, analytics, monitoring to loader;
grant select, insert, update, delete, truncate on all tables
in schema staging, production, warehouse, analytics, monitoring to loader;
grant select, insert, update, delete on platform.revisits to loader;
grant select on platform.contract_statements to loader;
grant execute on all functions in schema platform, warehouse to loader;

revoke all on schema platform, staging, production from reader;
grant usage on schema warehouse, analytics, monitoring to reader;
grant select on all tables in schema warehouse, analytics, monitoring to reader;
grant execute on all functions in schema warehouse to reader;

do $$
begin
    execute format('grant loader, reader to %I', current_user);
exception
    when others then raise notice 'The owner cannot act as loader and reader: %', sqlerrm;
end
$$;
