-- platform: sums of returns are compared with agg_daily_returns now; a failure that is open stays open under the new name.
update platform.check_results
set check_name = 'agrees_with_agg_daily_returns'
where table_name = 'analytics.returns_by_product' and check_name = 'agrees_with_agg_daily_sales';
