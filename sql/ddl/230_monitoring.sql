-- repeatable: what dashboards say about amounts. Their login reads neither production nor platform.
create or replace view monitoring.waiting_refunds as
select
    platform.parse_date(original ->> 'returned_on') as returned_on,
    count(*) as row_count,
    sum(platform.parse_money(original ->> 'refund_amount')) as refunds
from production.rejected_rows
where feed = 'returns' and (missing_transaction_id is not null or missing_item_id is not null)
group by 1;

create or replace view monitoring.reporting_currency as
select currency
from platform.reporting_currency;

comment on view monitoring.waiting_refunds is
'One row per day of return: refunds that wait for their order line, so that the facts do not have them.';
comment on column monitoring.waiting_refunds.returned_on is 'Day of the return.';
comment on column monitoring.waiting_refunds.row_count is 'Number of rows.';
comment on column monitoring.waiting_refunds.refunds is 'Sum of their refunds.';
comment on view monitoring.reporting_currency is 'One row: the currency of all amounts.';
comment on column monitoring.reporting_currency.currency is 'ISO 4217.';
