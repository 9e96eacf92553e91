-- warehouse: sales carry the customer and the product beside their versions, and fall to the unknown member of a dimension
-- (key 0) when a version goes, until they are pointed at the one in force. The next run fills the unknown members in.
alter table warehouse.fact_sales add column customer_id bigint not null default 0;
alter table warehouse.fact_sales add column product_id bigint not null default 0;

-- The update moves every row: indexes that stand would only be written twice.
drop index warehouse.fact_sales_sale_date_idx;
drop index warehouse.fact_sales_partition_date_idx;
drop index warehouse.fact_sales_payment_key_idx;
drop index warehouse.fact_sales_customer_key_idx;
drop index warehouse.fact_sales_product_key_idx;

update warehouse.fact_sales as facts
set customer_id = customers.customer_id, product_id = products.product_id
from warehouse.dim_customer as customers, warehouse.dim_product as products
where facts.customer_key = customers.customer_key and facts.product_key = products.product_key;

alter table warehouse.fact_sales
alter column customer_id drop default,
alter column product_id drop default,
alter column customer_key set default 0,
alter column product_key set default 0,
alter column payment_key set default 0,
drop constraint fact_sales_customer_key_fkey,
drop constraint fact_sales_product_key_fkey,
drop constraint fact_sales_payment_key_fkey,
add foreign key (customer_key) references warehouse.dim_customer (customer_key) on delete set default deferrable,
add foreign key (product_key) references warehouse.dim_product (product_key) on delete set default deferrable,
add foreign key (payment_key) references warehouse.dim_payment (payment_key) on delete set default deferrable;

create index fact_sales_sale_date_idx on warehouse.fact_sales (sale_date);
create index fact_sales_partition_date_idx on warehouse.fact_sales (partition_date);
create index fact_sales_payment_key_idx on warehouse.fact_sales (payment_key);
create index fact_sales_customer_id_idx on warehouse.fact_sales (customer_id, sale_date);
create index fact_sales_product_id_idx on warehouse.fact_sales (product_id, sale_date);
create index fact_sales_customer_key_idx on warehouse.fact_sales (customer_key);
create index fact_sales_product_key_idx on warehouse.fact_sales (product_key);

comment on column warehouse.fact_sales.customer_id is 'The customer.';
comment on column warehouse.fact_sales.product_id is 'The product.';
comment on column warehouse.fact_sales.customer_key is 'Version of the customer on that day; 0 while none is known.';
comment on column warehouse.fact_sales.product_key is 'Version of the product on that day; 0 while none is known.';
comment on column warehouse.fact_sales.payment_key is 'How it was paid; 0 while that is not known.';

-- A shop may call a way to pay as the unknown member is called.
alter table warehouse.dim_payment drop constraint dim_payment_payment_method_key;
create unique index dim_payment_payment_method_idx on warehouse.dim_payment (payment_method) where payment_key <> 0;

alter table warehouse.mart_product_daily add column product_id bigint not null default 0;
alter table warehouse.mart_product_monthly add column product_id bigint not null default 0;

update warehouse.mart_product_daily as days
set product_id = products.product_id
from warehouse.dim_product as products
where days.product_key = products.product_key;

update warehouse.mart_product_monthly as months
set product_id = products.product_id
from warehouse.dim_product as products
where months.product_key = products.product_key;

alter table warehouse.mart_product_daily
alter column product_id drop default,
drop constraint mart_product_daily_pkey,
add primary key (sale_date, product_id, product_key);

alter table warehouse.mart_product_monthly
alter column product_id drop default,
drop constraint mart_product_monthly_pkey,
add primary key (month_start, product_id, product_key);

comment on column warehouse.mart_product_daily.product_id is 'The product.';
comment on column warehouse.mart_product_monthly.product_id is 'The product.';

comment on column warehouse.dim_customer.age_group is
'Age group; a version begins when a customer who is known to the shop, or has bought, comes into the next one.';
comment on table warehouse.dim_customer is
'Customers without personal data, SCD2: what a customer was, from which day until which. The first version also covers all earlier days; key 0 is the unknown customer.';
comment on table warehouse.dim_product is
'Products, SCD2: what a product was, from which day until which. The first version also covers all earlier days; key 0 is the unknown product.';
comment on table warehouse.dim_payment is 'Payment methods; key 0 is the unknown member.';

drop function warehouse.customer_month(bigint, date);

analyze warehouse.fact_sales, warehouse.mart_product_daily, warehouse.mart_product_monthly;
