# ruff: noqa: E501, SIM905 (headers and rows are as long as the real ones)
"""Small exports in the exact shape of the real ones, written by hand: their headers, rows, and how to write them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

ADDRESS = "Name,Street,Address1,Address2,Company,City,Zip,Province,Country,Phone".split(",")

SHOPIFY_ORDERS = (
    *"Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping".split(
        ","
    ),
    *"Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name".split(","),
    *"Lineitem price,Lineitem compare at price,Lineitem sku,Lineitem requires shipping,Lineitem taxable".split(","),
    "Lineitem fulfillment status",
    *(f"Billing {part}" for part in ADDRESS),
    *(f"Shipping {part}" for part in ADDRESS),
    *"Notes,Note Attributes,Cancelled at,Payment Method,Payment Reference,Refunded Amount,Vendor,Id,Tags".split(","),
    *"Risk Level,Source,Lineitem discount".split(","),
    *(f"Tax {number} {part}" for number in range(1, 6) for part in ("Name", "Value")),
    *"Phone,Receipt Number,Duties,Billing Province Name,Shipping Province Name,Payment Terms Name".split(","),
    "Next Payment Due At",
)

SHOPIFY_CUSTOMERS = tuple(
    "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,Default Address Address1,"
    "Default Address Address2,Default Address City,Default Address Province Code,Default Address Country Code,"
    "Default Address Zip,Default Address Phone,Phone,Accepts SMS Marketing,Total Spent,Total Orders,Note,Tax Exempt,Tags".split(
        ","
    )
)

SHOPIFY_PRODUCTS = tuple(
    "Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,Status,SKU,Barcode,"
    "Option1 name,Option1 value,Price,Compare-at price,Cost per item,Charge tax,Tax code,Inventory tracker,"
    "Inventory quantity,SEO description".split(",")
)

WOOCOMMERCE = tuple(
    "order_id,order_number,order_date,status,shipping_total,discount_total,order_total,refunded_total,order_currency,"
    "payment_method,shipping_method,customer_id,billing_first_name,billing_last_name,billing_company,billing_email,"
    "billing_phone,billing_address_1,billing_address_2,billing_postcode,billing_city,billing_state,billing_country,"
    "shipping_first_name,shipping_last_name,shipping_company,shipping_address_1,shipping_address_2,shipping_postcode,"
    "shipping_city,shipping_state,shipping_country,customer_note,item_id,item_product_id,item_name,item_sku,item_quantity,"
    "item_subtotal,item_subtotal_tax,item_total,item_total_tax,item_refunded,item_refunded_qty,item_meta".split(",")
)

UCI = tuple("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country".split(","))

Row = Mapping[str, str]


def write_rows(path: Path, header: Iterable[str], rows: Iterable[Row], encoding: str = "utf-8") -> Path:
    """Write a CSV file with a header; what a row does not say is blank."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(header), restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_text(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """Write a file of text whose first line break is left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.removeprefix("\n").encode(encoding))
    return path


def shopify(folder: Path) -> Path:
    """Five orders: a discount, a guest, a full refund, a void, a partial refund; a customers and a products export."""

    def item(name: str, quantity: str, title: str, price: str, sku: str = "", **fields: str) -> Row:
        line = {"Name": name, "Lineitem quantity": quantity, "Lineitem name": title, "Lineitem price": price}
        return {**line, "Lineitem sku": sku, "Vendor": "Acme", "Lineitem discount": "0.00", **fields}

    def order(at: str, subtotal: str, email: str = "", status: str = "paid", **fields: str) -> Row:
        named = {key.replace("_", " "): value for key, value in fields.items()}
        first = {"Created at": at, "Email": email, "Financial Status": status, "Currency": "USD", "Subtotal": subtotal}
        return {
            **first,
            "Payment Method": "Shopify Payments",
            "Refunded Amount": "0.00",
            "Discount Amount": "0.00",
            **named,
        }

    ada = {
        "Billing Name": "Ada Byron King",
        "Billing Street": "1 Main St",
        "Billing Zip": "'73301",
        "Billing Country": "US",
    }
    austin = {
        **ada,
        "Billing City": "Austin",
        "Billing Province": "TX",
        "Shipping City": "Austin",
        "Shipping Province": "TX",
    }
    boston = {
        **ada,
        "Billing City": "Boston",
        "Billing Province": "MA",
        "Shipping City": "Boston",
        "Shipping Province": "MA",
    }
    rows = [
        item(
            "#1001",
            "2",
            "Lamp",
            "10.00",
            "A1",
            **order("2024-03-01 23:30:00 -0500", "22.95", "Ada@Example.com", **austin),
        ),
        item("#1001", "1", 'Card, 24" wide', "5.50"),
        {
            **item("#1002", "3", "Bulb", "4.00", "B2", **order("2024-03-02 09:00:00 -0500", "11.00")),
            "Lineitem discount": "1.00",
        },
        item(
            "#1003",
            "1",
            "Chair",
            "100.00",
            "C3",
            **order(
                "2024-03-03 10:00:00 -0500",
                "100.00",
                "ada@example.com",
                "refunded",
                **boston,
                Refunded_Amount="108.00",
                Cancelled_at="2024-03-05 08:00:00 -0500",
            ),
        ),
        item(
            "#1004",
            "1",
            "Lamp",
            "10.00",
            "A1",
            **order("2024-03-03 11:00:00 -0500", "10.00", "x@example.com", "voided"),
        ),
        item(
            "#1005",
            "2",
            "Lamp",
            "10.00",
            "A1",
            **order(
                "2024-03-04 12:00:00 -0500", "23.00", "bob@example.com", "partially_refunded", Refunded_Amount="6.00"
            ),
        ),
        item("#1005", "1", "Bulb", "3.00", "B2"),
    ]
    write_rows(folder / "orders_export_1.csv", SHOPIFY_ORDERS, rows)
    known = {
        "Customer ID": "'7001",
        "First Name": "Ada",
        "Last Name": "King",
        "Email": "ada@example.com",
        "Total Spent": "122.95",
    }
    idle = {"Customer ID": "'7002", "First Name": "Idle", "Email": "idle@example.com", "Total Spent": "0.00"}
    write_rows(folder / "customers_export.csv", SHOPIFY_CUSTOMERS, [known, idle])
    lamp = {"Title": "Lamp", "URL handle": "lamp", "Vendor": "Lumen", "Type": "Lighting", "Option1 value": "Small"}
    products = [
        {**lamp, "SKU": "A1", "Price": "12.00", "Cost per item": "4.50", "Inventory quantity": "7"},
        {"URL handle": "lamp", "Option1 value": "Large", "SKU": "A2", "Price": "20.00", "Inventory quantity": "0"},
    ]
    write_rows(folder / "products_export.csv", SHOPIFY_PRODUCTS, products)
    return folder


def woocommerce(folder: Path) -> Path:
    """Three orders: with a coupon, refunded and of a guest, cancelled."""
    first = {"order_id": "501", "order_date": "2024-05-01 10:00:00", "status": "completed", "order_currency": "EUR"}
    first |= {
        "customer_id": "12",
        "billing_first_name": "Max",
        "billing_email": "max@example.org",
        "billing_state": "DE-BY",
    }
    first |= {"billing_country": "DE", "billing_city": "München", "payment_method": "stripe"}
    second = {"order_id": "502", "order_date": "2024-05-02 11:00:00", "status": "wc-refunded", "order_currency": "EUR"}
    second |= {"customer_id": "0", "billing_email": "Eve@Example.org", "billing_country": "AT"}
    rows = [
        {
            **first,
            "item_id": "9001",
            "item_product_id": "77",
            "item_name": "Tea",
            "item_sku": "W-1",
            "item_quantity": "3",
        }
        | {"item_subtotal": "30.00", "item_total": "27.00", "item_refunded": "0", "item_refunded_qty": "0"},
        {**first, "item_id": "9002", "item_product_id": "88", "item_name": "Cup", "item_quantity": "3"}
        | {"item_subtotal": "10.00", "item_total": "10.00", "item_refunded": "0", "item_refunded_qty": "0"},
        {
            **second,
            "item_id": "9003",
            "item_product_id": "77",
            "item_name": "Tea",
            "item_sku": "W-1",
            "item_quantity": "2",
        }
        | {"item_subtotal": "20.00", "item_total": "20.00", "item_refunded": "-20.00", "item_refunded_qty": "-2"},
        {**first, "order_id": "503", "status": "cancelled", "item_id": "9004", "item_name": "Tea", "item_quantity": "9"}
        | {"item_total": "99.00"},
    ]
    write_rows(folder / "orders.csv", WOOCOMMERCE, rows)
    return folder


def olist(folder: Path) -> Path:
    """One person with two orders from two places, and an order that was cancelled."""
    write_text(
        folder / "olist_orders_dataset.csv",
        """
"order_id","customer_id","order_status","order_purchase_timestamp","order_approved_at","order_delivered_carrier_date","order_delivered_customer_date","order_estimated_delivery_date"
"e481f51cbdc54678b7cc49136f2d6af7","9ef432eb6251297304e76186b10a928d","delivered","2017-10-02 10:56:33","2017-10-02 11:07:15","","","2017-10-18 00:00:00"
"53cdb2fc8bc7dce0b6741e2150273451","b0830fb4747a6c6d20dea0b8c802d7ef","shipped","2017-10-04 20:41:37","","","","2017-10-20 00:00:00"
"47770eb9100c2d0c44946d9cf07ec65d","41ce2a54c0b03bf3443c3d931a367089","canceled","2017-10-03 08:38:49","","","","2017-10-21 00:00:00"
""",
    )
    write_text(
        folder / "olist_order_items_dataset.csv",
        """
"order_id","order_item_id","product_id","seller_id","shipping_limit_date","price","freight_value"
"e481f51cbdc54678b7cc49136f2d6af7","1","87285b34884572647811a353c7ac498a","3504c0cb71d7fa48d967e0e4c94d59d9","2017-10-06 11:07:15","29.99","8.72"
"e481f51cbdc54678b7cc49136f2d6af7","2","87285b34884572647811a353c7ac498a","3504c0cb71d7fa48d967e0e4c94d59d9","2017-10-06 11:07:15","29.99","8.72"
"53cdb2fc8bc7dce0b6741e2150273451","1","595fac2a385ac33a80bd5114aec74eb8","289cdb325fb7e7f891c38608bf9e0962","2017-10-10 20:41:37","118.70","22.76"
"47770eb9100c2d0c44946d9cf07ec65d","1","595fac2a385ac33a80bd5114aec74eb8","289cdb325fb7e7f891c38608bf9e0962","2017-10-09 08:38:49","159.90","19.22"
""",
    )
    write_text(
        folder / "olist_customers_dataset.csv",
        """
"customer_id","customer_unique_id","customer_zip_code_prefix","customer_city","customer_state"
"9ef432eb6251297304e76186b10a928d","7c396fd4830fd04220f754e42b4e5bff","03149","sao paulo","SP"
"b0830fb4747a6c6d20dea0b8c802d7ef","7c396fd4830fd04220f754e42b4e5bff","47813","barreiras","BA"
"41ce2a54c0b03bf3443c3d931a367089","af07308b275d755c9edb36a90c618231","47813","barreiras","BA"
""",
    )
    write_text(
        folder / "olist_order_payments_dataset.csv",
        """
"order_id","payment_sequential","payment_type","payment_installments","payment_value"
"e481f51cbdc54678b7cc49136f2d6af7","1","credit_card","1","18.12"
"e481f51cbdc54678b7cc49136f2d6af7","2","voucher","1","40.00"
"e481f51cbdc54678b7cc49136f2d6af7","3","voucher","1","19.30"
"53cdb2fc8bc7dce0b6741e2150273451","1","boleto","1","141.46"
""",
    )
    write_text(
        folder / "olist_products_dataset.csv",
        """
"product_id","product_category_name","product_name_lenght","product_description_lenght","product_photos_qty","product_weight_g","product_length_cm","product_height_cm","product_width_cm"
"87285b34884572647811a353c7ac498a","utilidades_domesticas","40","268","4","500","19","8","13"
"595fac2a385ac33a80bd5114aec74eb8","perfumaria","29","178","1","400","19","13","19"
""",
    )
    write_text(
        folder / "product_category_name_translation.csv",
        """
\ufeffproduct_category_name,product_category_name_english
utilidades_domesticas,housewares
""",
    )
    return folder


UCI_ROWS = """
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom
536365,71053,WHITE METAL LANTERN,2,12/1/2010 8:26,3.39,17850,United Kingdom
536365,71053,WHITE METAL LANTERN,2,12/1/2010 8:26,3.39,17850,United Kingdom
536365,POST,POSTAGE,1,12/1/2010 8:26,18.00,17850,United Kingdom
536366,22633,HAND WARMER,3,12/2/2010 9:00,1.255,,France
536414,22139,,56,12/3/2010 11:52,0,,United Kingdom
536589,21777,,-10,12/13/2010 16:50,0,,United Kingdom
C536379,71053,WHITE METAL LANTERN,-2,12/4/2010 9:41,3.39,17850,United Kingdom
C536380,D,Discount,-1,12/4/2010 10:00,27.50,14527,United Kingdom
"""


def online_retail(folder: Path) -> Path:
    """Three invoices, one of a guest; a cancellation of a known line and of an unknown one; stock that was written off."""
    write_text(folder / "Online Retail.csv", UCI_ROWS)
    return folder
