-- platform: checks that leave guests out compare with another table now; a failure that is open stays open under the new name.
update platform.check_results as results
set check_name = renamed.new_name
from (
    values
    ('warehouse.mart_customer_monthly', 'agrees_with_mart_daily_breakdown'),
    ('analytics.customer_segments', 'agrees_with_agg_customer_metrics'),
    ('analytics.customer_lifetime_value', 'agrees_with_agg_customer_metrics')
) as renamed (table_name, new_name)
where results.table_name = renamed.table_name and results.check_name = 'agrees_with_agg_daily_sales';
