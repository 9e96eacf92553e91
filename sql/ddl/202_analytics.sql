-- analytics: what was returned and refunded, beside revenue. Returns count by the day of their sale.
alter table analytics.daily_sales
add column returns numeric(28, 2) not null default 0,
add column net_revenue numeric(28, 2) not null default 0;
alter table analytics.daily_sales
alter column returns drop default,
alter column net_revenue drop default;

alter table analytics.monthly_sales
add column returned_units bigint not null default 0,
add column returns numeric(28, 2) not null default 0,
add column net_revenue numeric(28, 2) not null default 0,
add column return_rate numeric(28, 2);
alter table analytics.monthly_sales
alter column returned_units drop default,
alter column returns drop default,
alter column net_revenue drop default;

alter table analytics.category_sales
add column returned_units bigint not null default 0,
add column returns numeric(28, 2) not null default 0,
add column net_revenue numeric(28, 2) not null default 0,
add column return_rate numeric(28, 2);
alter table analytics.category_sales
alter column returned_units drop default,
alter column returns drop default,
alter column net_revenue drop default;

update analytics.daily_sales set net_revenue = revenue;
update analytics.monthly_sales set net_revenue = revenue, return_rate = case when units > 0 then 0 end;
update analytics.category_sales set net_revenue = revenue, return_rate = case when units > 0 then 0 end;

create table analytics.returns_by_product (
    product_code text primary key,
    product_name text not null,
    category text not null,
    units bigint not null,
    return_count integer not null,
    returned_units bigint not null,
    return_rate numeric(28, 2),
    revenue numeric(28, 2) not null,
    returns numeric(28, 2) not null,
    net_revenue numeric(28, 2) not null,
    returns_rank integer not null
);

comment on table analytics.returns_by_product is 'One row per product with returns, ranked by refunds, over all days.';
comment on column analytics.returns_by_product.product_code is 'Product ID, as the shop writes it.';
comment on column analytics.returns_by_product.product_name is 'Current product name.';
comment on column analytics.returns_by_product.category is 'Current category.';
comment on column analytics.returns_by_product.units is 'Units sold.';
comment on column analytics.returns_by_product.return_count is 'Number of returns.';
comment on column analytics.returns_by_product.revenue is 'Total revenue.';
comment on column analytics.returns_by_product.returns_rank is 'Rank by refunds; 1 is the highest.';

do $$
declare
    described record;
begin
    for described in
        select
            columns.table_name,
            meanings.name,
            meanings.meaning
        from information_schema.columns as columns
        inner join (
            values
            ('returned_units', 'Units of these sales that were returned, on whatever day.'),
            ('returns', 'Refunds for these sales, on whatever day they were made.'),
            ('net_revenue', 'Total revenue minus returns.'),
            ('return_rate', 'Units returned as a percentage of the units sold.')
        ) as meanings (name, meaning) on columns.column_name = meanings.name
        where columns.table_schema = 'analytics'
    loop
        execute format('comment on column analytics.%I.%I is %L', described.table_name, described.name, described.meaning);
    end loop;
end
$$;
