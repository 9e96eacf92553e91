"""What the shop sells: categories, sub-categories, brands and words for product names. All brands are invented."""

from __future__ import annotations

from typing import NamedTuple


class SubCategory(NamedTuple):
    """A shelf: its name, its lowest and highest usual price in dollars, and the nouns of its product names."""

    name: str
    lowest: int
    highest: int
    nouns: tuple[str, ...]


class Category(NamedTuple):
    """A department: its share of the products; list-price margin and returned lines in thousandths; words; shelves."""

    name: str
    share: int
    margin: int
    returned: int
    brands: tuple[str, ...]
    adjectives: tuple[str, ...]
    shelves: tuple[SubCategory, ...]


# fmt: off
CATEGORIES = (
    Category("Electronics", 16, 460, 90,
        ("Voltara", "Nexwave", "Lumiq", "Orbitone", "Kitech", "Pixelon", "Auralis"),
        ("Wireless", "Compact", "Smart", "Pro", "Ultra-Slim", "4K", "Noise-Cancelling", "Portable",
         "Fast-Charging"), (
        SubCategory("Audio", 19, 349, ("Headphones", "Earbuds", "Bluetooth Speaker", "Soundbar")),
        SubCategory("Computers", 249, 1899, ("Laptop 14\"", "Mini PC", "Tablet", "Chromebook")),
        SubCategory("Phones", 129, 1199, ("Smartphone", "Smartphone, Dual SIM", "Folding Phone")),
        SubCategory("Accessories", 9, 89, ("USB-C Hub", "Charger", "Power Bank", "Webcam", "Keyboard",
            "Mouse")),
        SubCategory("TV & Video", 99, 1499, ("TV 43\"", "TV 55\"", "Projector", "Streaming Stick")),
        SubCategory("Wearables", 39, 449, ("Smartwatch", "Fitness Tracker", "Smart Ring")))),
    Category("Home & Kitchen", 15, 330, 80,
        ("Hearthly", "Casa Lindo", "Oak & Iron", "Brightwell", "Kettle & Co.", "Nordhus"),
        ("Classic", "Non-Stick", "Stainless", "Bamboo", "Handmade", "Modern", "Everyday", "Cozy"), (
        SubCategory("Cookware", 15, 249, ("Frying Pan", "Saucepan", "Dutch Oven", "Wok", "10-Piece Set")),
        SubCategory("Small Appliances", 25, 399, ("Coffee Maker", "Blender", "Toaster", "Air Fryer",
            "Stand Mixer")),
        SubCategory("Bedding", 19, 199, ("Sheet Set", "Duvet", "Pillow, Pack of 2", "Blanket")),
        SubCategory("Furniture", 59, 899, ("Desk", "Bookshelf", "Office Chair", "Side Table", "Bed Frame")),
        SubCategory("Decor", 9, 129, ("Table Lamp", "Wall Clock", "Vase", "Picture Frame", "Rug")))),
    Category("Clothing", 16, 370, 240,
        ("Maren & Vale", "Northline", "Solenne", "Threadwell", "Redwick", "D'Arcy"),
        ("Slim-Fit", "Relaxed", "Organic Cotton", "Merino", "Water-Repellent", "Striped", "Essential",
         "Vintage"), (
        SubCategory("Men", 15, 149, ("Shirt", "Jeans", "Sweater", "Chinos", "T-Shirt, 3-Pack")),
        SubCategory("Women", 15, 189, ("Dress", "Blouse", "Cardigan", "Leggings", "Skirt")),
        SubCategory("Kids", 8, 59, ("Hoodie", "Pajamas", "Rain Jacket", "T-Shirt")),
        SubCategory("Shoes", 29, 229, ("Sneakers", "Boots", "Loafers", "Sandals")),
        SubCategory("Outerwear", 59, 399, ("Parka", "Down Jacket", "Trench Coat", "Fleece")))),
    Category("Sports & Outdoors", 10, 330, 80,
        ("Summitry", "Trailfox", "Ironpeak", "Riverbend", "Velocita"),
        ("Lightweight", "All-Weather", "Foldable", "Competition", "Adjustable", "Trail", "Insulated"), (
        SubCategory("Fitness", 9, 349, ("Yoga Mat", "Dumbbell Set", "Kettlebell", "Exercise Bike",
            "Jump Rope")),
        SubCategory("Camping", 15, 449, ("Tent", "Sleeping Bag", "Camp Stove", "Cooler", "Headlamp")),
        SubCategory("Cycling", 12, 899, ("Helmet", "Bike Pump", "Gravel Bike", "Saddle Bag", "Pedals")),
        SubCategory("Team Sports", 9, 129, ("Soccer Ball", "Basketball", "Baseball Glove", "Goal Net")))),
    Category("Beauty", 11, 390, 45,
        ("Lumière", "Petal & Stone", "Clarisse", "Verdea", "Ōra"),
        ("Hydrating", "Gentle", "Matte", "Vitamin C", "Fragrance-Free", "Overnight", "Radiance"), (
        SubCategory("Skincare", 8, 119, ("Serum", "Moisturizer", "Cleanser", "Sunscreen SPF 50")),
        SubCategory("Makeup", 6, 69, ("Lipstick", "Foundation", "Mascara", "Eyeshadow Palette")),
        SubCategory("Haircare", 7, 89, ("Shampoo", "Conditioner", "Hair Mask", "Styling Cream")),
        SubCategory("Fragrance", 29, 189, ("Eau de Parfum", "Body Mist", "Gift Set, 3 x 30 ml")))),
    Category("Toys & Games", 9, 340, 60,
        ("Pippin", "Brickadoo", "Wonderlot", "Foxglove", "Merrywood"),
        ("Magnetic", "Wooden", "Deluxe", "Glow-in-the-Dark", "Junior", "Talking", "Giant"), (
        SubCategory("Building", 12, 199, ("Brick Set", "Train Set", "Marble Run", "Robot Kit")),
        SubCategory("Board Games", 12, 79, ("Strategy Game", "Party Game", "Puzzle, 1,000 Pieces",
            "Card Game")),
        SubCategory("Dolls & Plush", 9, 89, ("Teddy Bear", "Dollhouse", "Plush Dinosaur", "Doll")),
        SubCategory("Outdoor Play", 15, 249, ("Scooter", "Sandbox", "Swing", "Water Blaster")))),
    Category("Books", 9, 300, 30,
        ("Harbor Press", "Blue Door Books", "Meridian House", "Quill & Crane", "Saltmarsh"),
        ("Illustrated", "Complete", "Pocket", "Annotated", "New", "Essential", "Collector's"), (
        SubCategory("Fiction", 8, 35, ("Novel", "Short Stories", "Mystery", "Trilogy")),
        SubCategory("Nonfiction", 10, 49, ("Biography", "History of the Sea", "Guide to Trees", "Atlas")),
        SubCategory("Cookbooks", 14, 55, ("Weeknight Cookbook", "Book of Bread", "Vegan Table")),
        SubCategory("Children", 6, 29, ("Bedtime Stories", "Picture Book", "Sticker Book")))),
    Category("Grocery", 8, 280, 12,
        ("Goldenfield", "Casa Verde", "Farm & Fig", "Honest Mill", "Tidewater"),
        ("Organic", "Roasted", "Fair-Trade", "Gluten-Free", "Spicy", "Family-Size", "Artisan"), (
        SubCategory("Coffee & Tea", 7, 49, ("Coffee Beans", "Espresso Pods", "Green Tea", "Chai")),
        SubCategory("Snacks", 5, 39, ("Trail Mix", "Dark Chocolate", "Crackers", "Mac 'n' Cheese, 12-Pack")),
        SubCategory("Pantry", 6, 59, ("Olive Oil", "Pasta Box", "Spice Set", "Maple Syrup",
            "Salsa \"Roja\"")))),
    Category("Pet Supplies", 6, 320, 40,
        ("Barkley's", "Whiskerly", "Pawsome & Co.", "Tailwind"),
        ("Grain-Free", "Chew-Proof", "Orthopedic", "Self-Cleaning", "Reflective", "Salmon"), (
        SubCategory("Dogs", 9, 129, ("Dog Bed", "Leash", "Dry Food", "Chew Toy")),
        SubCategory("Cats", 8, 179, ("Cat Tree", "Litter Box", "Wet Food, 24-Pack", "Scratching Post")),
        SubCategory("Aquariums", 12, 249, ("Fish Tank", "Filter", "LED Light")))),
)
# fmt: on
