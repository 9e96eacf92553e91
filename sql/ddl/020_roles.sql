-- repeatable: the two roles besides the owner. loader writes every layer, reader sees what dashboards may see.
do $$
declare
    role_name text;
begin
    foreach role_name in array array['loader', 'reader'] loop
        begin
            execute format('create role %I nologin', role_name);
        exception
            when duplicate_object or unique_violation then null;
        end;
    end loop;
end
$$;
