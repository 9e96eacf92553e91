-- platform: the currency of all amounts. 060_rules.sql judges orders and products that name another one.
create table platform.reporting_currency (
    currency text not null check (currency ~ '^[A-Z]{3}$')
);

create unique index reporting_currency_is_one on platform.reporting_currency ((true));

insert into platform.reporting_currency (currency) values ('USD');

comment on table platform.reporting_currency is 'One row: the currency of all amounts (ECOMMERCE_CURRENCY).';
comment on column platform.reporting_currency.currency is 'ISO 4217.';

grant select, update on platform.reporting_currency to loader;
