"""The made-up shop: its visitors and products, as arguments of the calls of Segment's client."""

import random
import uuid
from typing import Any, NamedTuple

SITE = "https://shop.example"
VISITORS = 120
COMPANIES = 15
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
ACTIONS = ("Product Viewed", "Product Viewed", "Product Added", "Order Completed", "Signed In")


class Visitor(NamedTuple):
    """Somebody who does not exist."""

    number: int
    user_id: str
    """Who this is, once signed in."""
    anonymous_id: str
    name: tuple[str, str]
    company: int
    plan: str
    """What the company pays for."""
    address: dict[str, str]
    locale: str


class Shop:
    """Visits to the shop: everything random comes from the generator it was given."""

    def __init__(self, rng: random.Random) -> None:
        """Make up who visits the shop and what it sells."""
        self._rng = rng
        self._visitors = [self._visitor(number) for number in range(VISITORS)]
        self._products = [
            self._product(f"{colour} {thing}") for colour in COLOURS for thing in THINGS
        ]

    def visit(self, call: str) -> dict[str, Any]:
        """Let a visitor do something.

        Args:
            call: group, identify, page, screen or track.

        Returns:
            The arguments for the method of that name of Segment's client.
        """
        visitor = self._rng.choice(self._visitors)
        details: dict[str, Any] = getattr(self, f"_{call}")(visitor)
        if call in {"group", "identify"} or self._chance(0.7):
            details["user_id"] = visitor.user_id
        context = self._phone() if call == "screen" else self._browser()
        context |= {"ip": f"192.0.2.{visitor.number}", "locale": visitor.locale}  # RFC 5737
        return details | {"anonymous_id": visitor.anonymous_id, "context": context}

    def _group(self, visitor: Visitor) -> dict[str, Any]:
        trade = TRADES[visitor.company % len(TRADES)]
        traits = {
            "name": f"{LAST[visitor.company % len(LAST)]} {trade}",
            "industry": trade.lower(),
            "employees": 3 + visitor.company * 7,
            "plan": visitor.plan,
            "monthlySpend": round(self._rng.uniform(0, 900), 2),
            "address": visitor.address,
        }
        return {"group_id": f"company-{visitor.company:03}", "traits": traits}

    def _identify(self, visitor: Visitor) -> dict[str, Any]:
        first, last = visitor.name
        traits = {
            "firstName": first,
            "lastName": last,
            "email": f"{visitor.user_id}@mail.example",
            "plan": visitor.plan,
            "logins": self._rng.randrange(1, 300),
            "isAdmin": self._chance(0.1),
            "createdAt": f"2025-0{self._rng.randrange(1, 10)}-14T09:30:00Z",
            "address": visitor.address,
        }
        return {"traits": traits}

    def _page(self, _visitor: Visitor) -> dict[str, Any]:
        name, path = self._rng.choice(PAGES)
        properties: dict[str, Any] = {
            "title": f"{name} | Example Shop",
            "path": path,
            "url": f"{SITE}{path}",
            "referrer": self._rng.choice(["", f"{SITE}/", "https://search.example/"]),
        }
        if name == "Search":
            properties["search"] = self._rng.choice(THINGS).lower()
            properties["results"] = self._rng.randrange(40)
        return {"name": name, "category": "Shop", "properties": properties}

    def _screen(self, _visitor: Visitor) -> dict[str, Any]:
        name, category = self._rng.choice(SCREENS)
        properties = {
            "orientation": self._rng.choice(["portrait", "landscape"]),
            "loadMs": self._rng.randrange(40, 900),
            "darkMode": self._chance(0.5),
        }
        return {"name": name, "category": category, "properties": properties}

    def _track(self, visitor: Visitor) -> dict[str, Any]:
        action = self._rng.choice(ACTIONS)
        if action == "Signed In":
            properties = {"method": "password", "plan": visitor.plan}
        elif action == "Order Completed":
            properties = self._order()
        else:
            quantity = self._rng.randrange(1, 5)
            properties = self._rng.choice(self._products) | {"quantity": quantity}
        return {"event": action, "properties": properties}

    def _order(self) -> dict[str, Any]:
        products = self._rng.sample(self._products, self._rng.randrange(1, 5))
        return {
            "orderId": f"order-{self._rng.getrandbits(32):08x}",
            "total": round(sum(product["price"] for product in products), 2),
            "currency": "EUR",
            "coupon": self._rng.choice([None, "WELCOME", "AUTUMN"]),
            "shipping": {"method": self._rng.choice(["post", "pickup"]), "days": len(products)},
            "products": products,
        }

    def _visitor(self, number: int) -> Visitor:
        company = self._rng.randrange(COMPANIES)
        city, country = self._rng.choice(CITIES)
        return Visitor(
            number=number,
            user_id=f"visitor-{number:04}",
            anonymous_id=str(uuid.UUID(int=self._rng.getrandbits(128), version=4)),
            name=(self._rng.choice(FIRST), self._rng.choice(LAST)),
            company=company,
            plan=PLANS[company % len(PLANS)],
            address={"city": city, "country": country},
            locale=self._rng.choice(LOCALES),
        )

    def _product(self, name: str) -> dict[str, Any]:
        return {
            "productId": f"sku-{self._rng.getrandbits(24):06x}",
            "name": name,
            "category": name.rsplit(maxsplit=1)[-1].lower(),
            "price": round(self._rng.uniform(4, 120), 2),
            "inStock": self._chance(0.9),
        }

    def _browser(self) -> dict[str, Any]:
        context: dict[str, Any] = {"userAgent": self._rng.choice(BROWSERS)}
        if self._chance(0.3):
            words = self._rng.choice(CAMPAIGNS)
            context["campaign"] = dict(zip(("name", "source", "medium"), words, strict=True))
        return context

    def _phone(self) -> dict[str, Any]:
        model, system, version = self._rng.choice(PHONES)
        return {
            "app": {"name": "Example Shop", "version": "3.2.0", "build": "321"},
            "device": {"model": model, "type": system.lower()},
            "os": {"name": system, "version": version},
            "screen": {"width": 1080, "height": 2400, "density": 2.75},
        }

    def _chance(self, share: float) -> bool:
        return self._rng.random() < share
