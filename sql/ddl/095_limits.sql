-- analytics: what is computed from amounts has room for all amounts that the files may hold.
alter table analytics.customer_lifetime_value
alter column average_order_value type numeric(28, 2),
alter column purchase_frequency type numeric(28, 4),
alter column customer_lifetime_value type numeric(28, 2);
