"""The values of columns that have only a few. The SQL computes them; the schemas and the dashboards know them."""

SEGMENTS = ["New", "Regular", "VIP"]
GUEST = "Guest"
AGE_GROUPS = ["Unknown", "Under 18", "18-24", "25-34", "35-44", "45-54", "55-64", "65+"]
PRICE_RANGES = ["Budget", "Mid-range", "Premium"]
PAYMENT_GROUPS = ["Card", "Digital wallet", "Bank transfer", "Other"]
DISCOUNT_BANDS = ["None", "Up to 10%", "10% to 20%", "Over 20%"]
BREAKDOWNS = ["category", "payment_method", "segment", "state", "discount_band"]
STOCK_STATUSES = ["Out of stock", "Runs out within 7 days", "Runs out within 30 days", "Enough", "No sales", "Unknown"]
FORECAST_METHODS = ["Seasonal naive (week)", "AutoETS (week)", "MSTL (week and year)"]
DAY_NAMES = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
RFM_GROUPS = [
    "Champions",
    "Loyal customers",
    "Potential loyalists",
    "New customers",
    "Promising",
    "Need attention",
    "About to sleep",
    "At risk",
    "Can't lose them",
    "Hibernating",
]
INTERVAL_BANDS = [
    "Same day",
    "1-7 days",
    "8-14 days",
    "15-30 days",
    "31-60 days",
    "61-90 days",
    "91-180 days",
    "181-365 days",
    "Over 365 days",
]
