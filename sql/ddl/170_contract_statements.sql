-- platform: the contracts of the tables lie in sql/manifest.json now.
drop table if exists platform.contract_statements;
