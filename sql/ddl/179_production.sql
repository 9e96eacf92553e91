-- production: 060_rules.sql words some reasons anew. The next run computes the rejected rows of all days again.
delete from platform.watermarks
where reader = 'production.rejected_rows';
