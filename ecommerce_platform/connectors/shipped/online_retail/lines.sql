-- One row per line of the files, typed. An invoice whose number begins with C is a cancellation. Stock that was written off
-- (negative quantity, no price) is neither a sale nor a cancellation. An invoice belongs to the day of its first line.
with typed as (
    select
        upper(invoice) as invoice,
        upper(stock_code) as stock_code,
        description,
        regexp_replace(customer, '\.0$', '') as customer,
        country,
        quantity as quantity_text,
        unit_price as price_text,
        whole(quantity) as quantity,
        amount(unit_price) as price,
        invoice_date,
        min(moment) over (partition by upper(invoice)) as moment,
        coalesce(starts_with(upper(invoice), 'C'), false) as is_cancellation
    from exports
)

select
    *,
    cast(moment as date) as day,
    invoice || '/' || stock_code || '/' || row_number() over (
        partition by invoice, stock_code
        order by quantity_text, price_text, description
    ) as item_id,
    -- Charges and corrections have codes such as POST, M, C2 and BANK CHARGES; those of goods hold a number.
    not regexp_matches(stock_code, '[0-9]{4}|^DCGS') as is_charge,
    invoice is not null and not is_cancellation and not coalesce(quantity < 0 and price = 0, false) as is_sale,
    cast(round(quantity * price, 2) as decimal(38, 2)) as line_total
from typed
