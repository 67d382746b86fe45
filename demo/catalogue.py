"""What the made-up shop knows: names, places, products, pages and devices."""

FIRST = ("Ada", "Bo", "Cleo", "Dov", "Edda", "Finn", "Gwen", "Hugo", "Ines", "Jun", "Kaja", "Lio")
LAST = ("Ashfield", "Birkmoor", "Coldwater", "Dunhollow", "Elmsworth", "Fernley", "Grayling")
TRADES = ("Lanterns", "Looms", "Ceramics", "Bicycles", "Tea", "Paper")
PLANS = ("free", "starter", "team", "enterprise")
CITIES = (("Oslo", "NO"), ("Lyon", "FR"), ("Porto", "PT"), ("Graz", "AT"), ("Osaka", "JP"))
LOCALES = ("nb-NO", "fr-FR", "pt-PT", "de-AT", "ja-JP", "en-GB")
THINGS = ("Kettle", "Lamp", "Notebook", "Scarf", "Teapot", "Vase", "Basket", "Stool")
COLOURS = ("Amber", "Blue", "Green", "Grey", "Ochre", "White")
CAMPAIGNS = (
    ("autumn", "newsletter", "email"),
    ("lights", "search", "cpc"),
    ("gifts", "blog", "web"),
)
PAGES = (("Home", "/"), ("Search", "/search"), ("Product", "/product"), ("Cart", "/cart"))
SCREENS = (("Feed", "Browse"), ("Product Detail", "Browse"), ("Orders", "Account"))
PHONES = (
    ("Pixel 9", "Android", "16"),
    ("iPhone 17", "iOS", "26.1"),
    ("Fairphone 6", "Android", "15"),
)
BROWSERS = ("Mozilla/5.0 (X11; Linux x86_64) Gecko Firefox/145.0", "Mozilla/5.0 Safari/605.1.15")
