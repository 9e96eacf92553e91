-- production: the returns that wait for an order line are looked up by their order.
create index rejected_rows_missing_item_id_idx
on production.rejected_rows (transaction_id) where missing_item_id is not null;
