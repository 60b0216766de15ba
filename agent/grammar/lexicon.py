"""What the grammar knows of English words: looks (colours, materials, patterns …), parts, places, number.

Nouns are open: a word that is in none of these lists is taken for one.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COLOURS = _words(
    "red green blue yellow purple orange white black pink brown gray grey golden gold silver violet cyan magenta "
    "turquoise teal beige maroon navy indigo lavender lilac crimson scarlet amber ivory khaki olive burgundy mauve "
    "tan peach coral salmon mint lime aqua ruby emerald sapphire azure ochre plum cream charcoal bronze copper "
    "fuchsia taupe mustard rainbow multicoloured multicolored transparent colourless colorless monochrome reddish "
    "greenish bluish yellowish blonde blond brunette auburn ginger platinum chestnut cherry rose"
)
SHADES = _words(
    "dark light bright pale deep neon hot soft pastel vivid dull fiery electric matte metallic glossy dusty rich warm "
    "cool darker lighter brighter paler deeper golden burnt baby royal sky forest navy sea jet snow lemon lime olive "
    "mint ice cherry blood midnight cobalt brick rose emerald ruby bottle canary"
)
"""Words that belong to the colour after them: "dark green", "sky blue"."""

MATERIALS = _words(
    "wooden wood metal metallic steel iron brass bronze copper tin aluminium aluminum chrome glass crystal plastic "
    "rubber leather velvet silk cotton wool woollen woolen knitted denim linen paper cardboard porcelain ceramic clay "
    "stone marble granite concrete brick ice icy chocolate bamboo straw wicker lego furry fluffy fur feathered felt "
    "diamond pearl jade wax foam origami plush suede satin lace tweed papier-mache stained-glass terracotta sandstone "
    "mosaic gingerbread candy oak pine mahogany titanium plain golden gold silver jelly fabric cloth slate obsidian "
    "crochet crocheted tiled carbon"
)
PATTERNS = _words(
    "striped dotted spotted polka-dot polka-dotted checkered chequered checked plaid tartan floral flowery patterned "
    "speckled zigzag paisley leopard-print camouflage tie-dye tie-dyed stripy stripey spotty dotty marbled plain "
    "houndstooth argyle pinstriped zebra-striped star-spangled swirly tattooed"
)
SIZES = _words(
    "small big large tiny huge little giant gigantic enormous mini massive long short tall wide narrow thick thin fat "
    "slim medium medium-sized"
)
OTHER_LOOKS = _words(
    "old young new ancient modern vintage antique shiny rusty dirty clean wet dry broken cracked burning frozen "
    "melted glowing transparent translucent matte glossy smooth rough soft hard fuzzy hairy bald curly straight "
    "wavy spiky round square oval pointed pointy floppy flat open closed empty full happy sad angry smiling "
    "laughing sleeping sleepy crying scary spooky haunted cute elegant fancy futuristic retro cartoon realistic "
    "pixelated muscular chubby skinny blooming withered dead ripe rotten juicy cloudy sunny rainy snowy foggy "
    "misty stormy starry dark light bright pale deep neon pastel dull fiery electric dusty rich darker lighter "
    "brighter snow-covered moss-covered overgrown abandoned ruined bearded winged burnt toasted sparkly sparkling "
    "glittery glittering iridescent holographic psychedelic mechanical robotic alien ghostly zombie invisible "
    "upside-down colourful colorful vivid pretty beautiful ugly tidy messy ornate rustic sleek sporty royal "
    "tropical wild tame heavy bushy leafy bare naked metallic luxurious gothic baroque minimalist cozy cosy warm "
    "cold hot"
)

# What one says of the look by other words than the adjective.
AS_ADJECTIVE = {
    "wood": "wooden",
    "gold": "golden",
    "stripes": "striped",
    "stripe": "striped",
    "dots": "dotted",
    "dot": "dotted",
    "spots": "spotted",
    "polka-dots": "polka-dot",
    "checks": "checkered",
    "squares": "checkered",
    "wool": "woollen",
    "stripy": "striped",
    "stripey": "striped",
    "stripped": "striped",
    "dotty": "dotted",
    "spotty": "spotted",
    "darker": "dark",
    "lighter": "light",
    "brighter": "bright",
    "paler": "pale",
    "deeper": "deep",
    "rust": "rusty",
    "blond": "blonde",
}
PATTERN_NOUNS = _words("stripes stripe dots dot spots polka-dots checks")
COMPARATIVES = {
    "bigger": "big", "larger": "large", "smaller": "small", "taller": "tall", "shorter": "short", "longer": "long",
    "wider": "wide", "narrower": "narrow", "thicker": "thick", "thinner": "thin", "fatter": "fat", "older": "old",
    "younger": "young", "newer": "new", "rounder": "round", "happier": "happy", "sadder": "sad", "shinier": "shiny",
    "fluffier": "fluffy", "furrier": "furry", "redder": "red", "bluer": "blue", "greener": "green", "darker": "dark",
    "lighter": "light", "brighter": "bright", "paler": "pale", "curlier": "curly", "dirtier": "dirty",
    "cleaner": "clean", "rustier": "rusty", "scarier": "scary", "cuter": "cute", "whiter": "white", "blacker": "black",
    "slimmer": "slim", "bushier": "bushy",
}  # fmt: skip

# Adjectives that can also be the thing itself: "the orange", "the glass", "a rose".
ALSO_NOUNS = _words(
    "orange gold silver glass metal steel iron stone brick marble wood leather crystal paper ice chocolate straw rose "
    "plum peach cherry lime mint coral salmon ruby emerald sapphire diamond pearl cream rainbow lavender olive candy "
    "oak pine bamboo lace fur wax clay foam ginger violet lilac light zombie alien giant plush mosaic cartoon jelly "
    "fabric cloth gingerbread chestnut copper bronze cotton wool silk tin mini mustard ice-cream charcoal"
)

VAGUE = _words(
    "better nicer prettier different cooler interesting fun pop perfect good great nice cool awesome amazing best "
    "special funnier funny professional improved unique other else something anything whatever something-else"
)
"""Looks that say nothing an editor could draw."""
VAGUE_ALONE = VAGUE | _words(
    "colourful colorful beautiful pretty vivid realistic vibrant lively dramatic aesthetic artistic"
)
"""Looks that say nothing of a picture as a whole, where no object is named."""

SIDES = _words(
    "left right top bottom middle center centre front back side corner edge foreground far-left far-right "
    "left-hand right-hand background-left upper lower"
)
SELECTORS = _words(
    "left right top bottom middle center centre central leftmost rightmost topmost bottommost upper lower left-most "
    "right-most lefthand righthand left-hand right-hand far first second third fourth fifth sixth last next other "
    "bigger biggest smaller smallest larger largest taller tallest shorter shortest longest widest nearest closest "
    "closer farther farthest furthest nearer uppermost lowest highest lower higher front back rear foremost hindmost "
    "only same remaining very main single lone darker darkest lighter lightest brighter brightest oldest youngest "
    "older younger"
)
"""Adjectives that pick one of several: part of the segmentation prompt, never of a caption."""
HEADLESS = _words(
    "first second third fourth fifth last other bigger biggest smaller smallest larger largest taller tallest leftmost "
    "rightmost topmost bottommost left-most right-most nearest closest farthest middle shortest shorter"
)
"""Selectors that may stand for the thing: "the second from the left", "the biggest"."""

PARTS = _words(
    "roof door doors window windows chimney crown trunk branch branches leaf leaves wheel wheels tire tires tyre "
    "tyres petal petals stem ear ears sail sails hull handle handles tail tails nose eye eyes mouth lip lips "
    "tooth teeth hair fur mane paw paws leg legs arm arms hand hands foot feet head face neck back belly wing "
    "wings beak feather feathers horn horns whiskers fin fins scales lid base shade seat seats bumper headlight "
    "headlights light lights hood bonnet mast deck anchor shirt t-shirt jacket coat dress skirt pants trousers "
    "jeans shorts shoe shoes boots hat cap scarf tie gloves socks sweater hoodie jumper glasses sunglasses beard "
    "moustache mustache eyebrows collar sleeve sleeves button buttons belt bag backpack umbrella helmet crust "
    "icing frosting topping candle candles ribbon rope frame screen keys keyboard strap cover page pages walls "
    "wall fence garage porch balcony stairs steps top bottom body skin lining brim string strings spots stripes "
    "cheeks chin forehead nails pot rim spout leash saddle bow flag antenna doorknob shutters curtains cushions "
    "cushion pillows pillow sheets blanket foliage"
)
NOT_ADDED = PARTS - _words(
    "hat cap scarf tie gloves socks glasses sunglasses beard moustache mustache belt bag backpack umbrella helmet "
    "shirt t-shirt jacket coat dress skirt pants trousers jeans shorts shoe shoes boots sweater hoodie jumper "
    "candle candles ribbon collar wings horns wing horn antenna bow flag anchor saddle leash icing frosting "
    "topping blanket cushion cushions pillow pillows curtains stripes spots rope string garage porch balcony "
    "chimney fence"
)
"""Parts a thing has anyway, so that "red ears" given to a dog recolour the ears that it has."""
IN_PAIRS = _words("window wheel petal leaf branch ear candle")
"""Parts of which one thing has several, so that "the other one" may be on the same thing."""
PART_OWNERS = _words(
    "house car bus truck van boat ship cup mug teapot pot tree flower dog cat bird horse cow man woman boy girl bike "
    "bicycle train plane airplane church barn castle cabin lamp fish table chair sofa rabbit fox teddy bear box jar "
    "wagon tractor motorcycle kid child person lion tiger elephant cake monster robot doll cottage building tower "
    "sailboat rose tulip sunflower daisy oak palm pine kettle suitcase phone guitar"
)
"""Things whose parts are named after them: "car door", "dog ears"."""
PART_COMPOUNDS = _words("teddy-bear")

MASS = _words(
    "grass snow sand water fire smoke fog mud dirt soil gold silver wood metal marble concrete chocolate cheese butter "
    "bread rice pasta sugar salt honey fruit food hair fur skin clothing furniture luggage jewellery jewelry traffic "
    "rain lightning sunlight moonlight lava sushi ramen popcorn toast bacon beef meat ham broccoli spinach garlic moss "
    "ivy foliage confetti paint ink graffiti steam dust hay straw mist darkness coffee tea milk juice wine beer soda "
    "lemonade art rust oil gravel vegetation greenery spaghetti soup ice cereal flour jam ketchup mustard seaweed "
    "asphalt cotton plastic glitter yogurt oatmeal lettuce corn whiskey vodka champagne cocoa tofu armour armor "
    "icing frosting underwear equipment makeup scenery nature sunshine night winter summer autumn spring daytime"
)
PLURAL_ONLY = _words(
    "men women children people mice geese teeth feet oxen dice cacti octopi jeans trousers pants glasses "
    "sunglasses scissors shorts leaves wolves knives wives lives shelves loaves thieves cattle police headphones "
    "goggles binoculars leggings pyjamas pajamas clothes tights snowmen firemen policemen fishermen cowboys"
)
SINGULAR_IN_S = _words(
    "bus cactus octopus virus iris lens gas canvas atlas christmas tennis glass grass dress walrus hippopotamus "
    "platypus crocus hibiscus lotus circus campus compass mattress cross boss moss bass chess princess waitress "
    "actress hostess goddess lioness tigress fortress wilderness rhinoceros albatross cutlass hourglass sunglass "
    "asparagus citrus venus zeus jesus hercules santa-claus claus colosseus oasis chassis swiss series species "
    "molasses chaos cosmos harness buttress business address bias brass class kiss mess pass abyss cypress eucalyptus "
    "minibus trolleybus airbus batteries-bus thermos rhombus torus bonus status fungus focus surplus papyrus"
)
IRREGULAR_SINGULARS = {
    "men": "man", "women": "woman", "children": "child", "people": "person", "mice": "mouse", "geese": "goose",
    "teeth": "tooth", "feet": "foot", "oxen": "ox", "cacti": "cactus", "leaves": "leaf", "wolves": "wolf",
    "knives": "knife", "wives": "wife", "shelves": "shelf", "loaves": "loaf", "thieves": "thief", "snowmen": "snowman",
    "firemen": "fireman", "policemen": "policeman", "fishermen": "fisherman", "buses": "bus", "dice": "die",
    "octopuses": "octopus", "potatoes": "potato", "tomatoes": "tomato", "heroes": "hero", "volcanoes": "volcano",
    "cookies": "cookie", "movies": "movie", "pies": "pie", "ties": "tie", "shoes": "shoe", "houses": "house",
    "horses": "horse", "roses": "rose", "vases": "vase", "noses": "nose", "cases": "case", "eyes": "eye", "axes": "axe",
    "hooves": "hoof", "calves": "calf", "elves": "elf", "dwarves": "dwarf", "scarves": "scarf", "zombies": "zombie",
    "selfies": "selfie", "hippies": "hippie", "canoes": "canoe", "toes": "toe", "suitcases": "suitcase",
    "bookcases": "bookcase", "briefcases": "briefcase", "nurses": "nurse", "purses": "purse", "seahorses": "seahorse",
    "greenhouses": "greenhouse", "lighthouses": "lighthouse", "caches": "cache", "moustaches": "moustache",
    "mustaches": "mustache", "birdies": "birdie", "genies": "genie", "brownies": "brownie", "smoothies": "smoothie",
    "cheeses": "cheese", "mooses": "moose", "blouses": "blouse", "spouses": "spouse", "bruises": "bruise",
}  # fmt: skip

BACKGROUNDS = _words(
    "background backdrop scenery surroundings setting environment landscape grass snow beach sky sea ocean sand wall "
    "floor ground field lawn meadow desert water lake river forest street road park room city jungle space garden "
    "mountains seaside countryside woods clouds sunset skyline savanna savannah prairie moor tundra ice carpet "
    "pavement sidewalk parking-lot hills kitchen library studio harbour harbor nebula galaxy cityscape seascape shore "
    "coast riverbank farmland farm seabed cave moon mars stadium pool night-sky"
)
"""What can be behind the objects; as an edit's target these make a new background."""
OWN_BACKGROUNDS = _words(
    "background backdrop scenery surroundings setting environment landscape grass snow beach sky sea ocean sand wall "
    "floor ground field lawn meadow desert countryside seaside clouds night-sky"
)
"""What is a background also where it is named as what to change."""
BACKGROUND_ITSELF = _words("background backdrop scenery surroundings setting environment")
SURFACES = _words("wall floor ground")
"""Backgrounds that are a thing of their own: painting one is a change of appearance."""
DEFINITE_NAMES = _words("sea ocean countryside woods sky-line")

CONTAINERS = _words("with full")
MEDIA = _words(
    "photo photograph picture image painting drawing sketch illustration art artwork arts cartoon render rendering "
    "watercolour watercolor portrait print comic engraving snapshot mosaic collage graphic etching"
)
WHOLE_PICTURE = _words("picture image photo photograph scene shot pic snapshot everything")

TIMES: dict[str, tuple[str, ...]] = {
    "night": ("night", "sky"), "nighttime": ("night", "sky"), "midnight": ("night", "sky"), "winter": ("snow",),
    "day": (), "daytime": (), "summer": (), "autumn": (), "spring": (), "evening": (), "morning": (), "season": (),
    "weather": (), "rain": (), "christmas": (), "dusk": (), "dawn": (), "fall": (),
}  # fmt: skip
"""Times and weathers, and the background that shows them, where there is one."""

GENERIC = _words("thing things object objects item items subject subjects stuff one ones")
ATTRIBUTES = _words(
    "colour color colours colors hue shade tint material texture pattern fabric colouring coloring tone"
)

MALE = _words("man boy guy king prince father dad brother son grandfather gentleman actor waiter knight wizard groom")
FEMALE = _words(
    "woman girl lady queen princess mother mom mum sister daughter grandmother actress waitress witch bride goddess"
)
PEOPLE = (
    MALE
    | FEMALE
    | _words(
        "person child kid baby toddler player rider skier surfer driver chef doctor nurse teacher student soldier "
        "pirate astronaut singer dancer farmer worker clown robot elf"
    )
)
ANIMALS = _words(
    "cat dog horse cow sheep bird fish fox rabbit lion tiger bear elephant zebra giraffe duck chicken wolf deer mouse "
    "monkey panda kitten puppy goat pig frog parrot owl penguin retriever husky poodle"
)

COMPOUNDS = {
    ("golden", "retriever"), ("red", "panda"), ("black", "bear"), ("brown", "bear"), ("blue", "jay"), ("red", "wine"),
    ("white", "wine"), ("green", "tea"), ("black", "tea"), ("orange", "juice"), ("orange", "tree"), ("gold", "fish"),
    ("stained", "glass"), ("blue", "whale"), ("white", "shark"), ("black", "cat-fish"), ("silver", "birch"),
    ("blue", "cheese"), ("cherry", "tree"), ("peach", "tree"), ("olive", "tree"), ("lime", "tree"), ("plum", "tree"),
    ("cherry", "blossom"), ("rose", "bush"), ("ice", "cream"), ("polar", "bear"), ("fat", "cat"), ("hot", "dog"),
    ("light", "bulb"), ("hot", "air"), ("paper", "clip"), ("iron", "man"), ("tin", "can"), ("gold", "medal"),
    ("pine", "tree"), ("oak", "tree"), ("pine", "cone"), ("brick", "house"), ("brick", "wall"),
}  # fmt: skip
"""Names of things that begin with a look, which is not the thing's look."""

LIGHT_COMPOUNDS = _words("traffic street night head christmas tail stage spot fairy ceiling lamp moon sun star")
"""Words after which "light" is the noun: "make the traffic light green"."""
