-- repeatable: what the two roles may do. reader never sees a schema with personal data.
grant usage on schema platform, change_log, staging, production, warehouse, analytics, monitoring to loader;
grant select, insert, update, delete, truncate on all tables
in schema staging, production, warehouse, analytics, monitoring to loader;
grant select, insert, delete on all tables in schema change_log to loader;
grant select, insert, update, delete on platform.slices, platform.superseded_loads, platform.watermarks to loader;
grant usage on sequence platform.load_ids, platform.change_positions to loader;
grant select on platform.applied_ddl to loader;
grant execute on all functions in schema platform, warehouse to loader;

revoke all on schema platform, change_log, staging, production from reader;
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
