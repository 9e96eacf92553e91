-- statistics: what the planner cannot guess. It assumed a tenth as many pairs of customer and day as orders, and looked up the
-- version of each sale one by one: filling warehouse.fact_sales with 1.8 million lines took 7 s instead of 3.
create statistics production.transactions_customer_and_day (ndistinct)
on customer_id, transaction_date from production.transactions;

comment on statistics production.transactions_customer_and_day is 'Number of distinct pairs of customer and day.';

analyze production.transactions;
