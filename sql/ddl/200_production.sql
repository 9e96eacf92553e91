-- production: returns of order lines. A return whose order line is unknown waits among the rejected rows.
create table production.returns (
    transaction_id bigint not null,
    return_id bigint not null check (return_id <> 0),
    item_id bigint not null,
    returned_on date not null check (returned_on between '2000-01-01' and '2099-12-31'),
    quantity integer not null check (quantity >= 0),
    refund_amount numeric(12, 2) not null check (refund_amount >= 0),
    reason text,
    partition_date date not null,
    source_row integer not null,
    primary key (transaction_id, return_id),
    foreign key (transaction_id, item_id)
    references production.transaction_items (transaction_id, item_id) on delete cascade,
    check (returned_on <= partition_date)
);

alter table production.identifiers
drop constraint identifiers_entity_check,
add check (entity in ('customer', 'product', 'transaction', 'item', 'return'));

create index returns_item_id_idx on production.returns (transaction_id, item_id);
create index returns_source_idx on production.returns (partition_date, source_row);

alter table production.rejected_rows add column missing_item_id bigint;

comment on table production.returns is 'One row per return, as last exported: a returned or refunded order line.';
comment on column production.returns.transaction_id is 'Order ID.';
comment on column production.returns.return_id is 'Return ID assigned by the shop; unique within its order.';
comment on column production.returns.item_id is 'Order line that was returned.';
comment on column production.returns.returned_on is 'Day of the return (UTC).';
comment on column production.returns.quantity is 'Units returned; 0 for a refund without a return of goods.';
comment on column production.returns.refund_amount is 'Amount refunded; 0 for a return without a refund.';
comment on column production.returns.reason is 'Reason, as the shop writes it; null if it gives none.';
comment on column production.returns.partition_date is 'Day of the file that holds the return as it stands.';
comment on column production.returns.source_row is 'Row number of that export in its file.';
comment on column production.rejected_rows.missing_item_id is
'Order line that an otherwise valid return waits for, if its order is known.';

select platform.log_changes('production.returns', array['transaction_id', 'partition_date']);
