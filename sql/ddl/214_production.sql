-- production: the orders of a customer are read from the index alone, for the segments of the customers of a day.
drop index production.transactions_customer_id_idx;
create index transactions_customer_id_idx on production.transactions (customer_id, transaction_date) include (transaction_id);
