"""Talk that needs no facts: greetings, about itself, how-to, jokes, and polite limits."""

# ruff: noqa: E501 - a template is one line, and the weights of a mix are literals

from random import Random

from bench.pocket.kinds import PEOPLE
from bench.pocket.questions import Pair, casual
from bench.pocket.spin import spin

_TALK: tuple[tuple[str, str], ...] = (
    ("{Hello|Hi|Hey|Hello there|Hi there|Hey you}{|!|.}", "{Hello!|Hi!|Hello there!|Hi there!} {How can I help you?|What can I do for you?|What would you like to know about the house?|The house is listening.|Ask me something about the house.}"),
    ("{Good morning|Morning}{|!|, house.|, little house.}", "Good morning! {I hope you slept well.|Shall we see how the house is doing?|Tell me the readings and I will sum them up.|The day can begin.}"),
    ("{Good evening|Evening}{|!|, house.}", "Good evening! {I hope the day was kind to you.|Welcome home.|Shall we make the house cosy?}"),
    ("{Good night|Sleep well|Night}{|!|, house.}", "Good night! {Sleep well.|I keep an eye on the house.|Do not forget to lock the front door.|See you tomorrow.}"),
    ("{Thanks|Thank you|Thanks a lot|Thank you very much|Great, thanks}{|!|.}", "{You are welcome!|My pleasure.|Any time.|Gladly.|That is what I am here for.}"),
    ("{Bye|Goodbye|See you|See you later}{|!|.}", "{Goodbye!|See you soon!|Take care!|Bye! I will watch the house.}"),
    ("{How are you|How are you doing|How do you feel|Are you well}?", "{I am fine, thank you.|Very well, thank you.|I am small but in good spirits.|All my layers are warm, thank you.} {And you?|How can I help?|The house is quiet.|What would you like to know?}"),
    ("{Who are you|What are you|What is your name|Introduce yourself|Tell me about yourself|Who is there|What model are you}{?|.}", "{I am the pocket model of edged|My name is edged-pocket and I am the pocket model of edged}{, a {tiny|very small} language model that runs on this board|, small enough to run anywhere}. {I know only this little house.|I know only a little house and what you tell me about it.|I can talk about a little house, and about nothing else.}{| Ask me about rooms, lights, windows or the weather.| Tell me the readings of your sensors and I will answer from them.| When a larger model is ready, it takes over.}"),
    ("{How big are you|How many parameters do you have|How large are you|Are you a big model|Are you small}?", "{I am {tiny|very small}: about five million parameters.|I have about five million parameters, which is tiny.} {A large model has a thousand times more.|I fit into ten megabytes.|That is enough for a little house and no more.}"),
    ("{Who made you|Who trained you|Where do you come from|How were you made|How were you trained}?", "{I was trained by a script in the edged project|A script in the edged project trained me}, on {text that another script wrote|made-up talk about a little house}. {It took less than half an hour.|No data of yours was used.|That is why I know so little.}"),
    ("{What can you do|What do you know|How can you help me|What can I ask you|Help|What are you good at}{?|.}", "I can {answer questions about the readings you give me|tell you about a little house}{, write a short summary|, confirm an order} and {tell a short story|chat a little|say what I do not know}. {Try: Kitchen 21.5 C, window open. Is the window open?|Try: Write a morning summary.|Try: Tell me a short story about the kitchen.|Just tell me the readings and ask.}"),
    ("{Where do you run|Where are you|Which computer do you run on|Do you use the cloud|Are you online|Do you send my data away}?", "{I run right here, on a small computer in the house.|I run on this board and nowhere else.|I live on a Raspberry Pi in the house.} {Nothing leaves the house.|What you tell me stays here.|No cloud is involved.}"),
    ("{Are you a human|Are you real|Are you alive|Are you intelligent|Are you clever|Can you think}?", "{No, I am only a small language model.|Not really: I am a tiny language model.|I am just a few million numbers.} {I know a little house and nothing more.|But I do my best.|I can be wrong, so please check what matters.}"),
    ("{Can you make mistakes|Can I trust you|Are you always right|Are you sure}?", "{I can be wrong.|I make mistakes, since I am very small.|Please do not trust me with anything important.} {Check what matters.|A larger model does better.|I only repeat what the readings say.}"),
    ("{What is edged|What does edged do|Explain edged}{?|.}", "edged {is a small daemon that answers prompts sent over MQTT|answers MQTT prompts} on a Raspberry Pi{ with llama.cpp|}. {It picks the best model this board can run.|It keeps itself cool and tells why it is slow when it is slow.|Nothing leaves the house.} {I am its pocket model.|I answer until a larger model is ready.}"),
    ("{How do I get a larger model|Can I have a bigger model|How do I get better answers|You are too small|I want a better model}{?|.}", "{edged fetches the best variant that fits this board, and then I step aside.|When the download of a larger model is done, it takes my place.} {Run edged explain to see the choice.|Until then, I keep you company.}"),
    ("{What is MQTT|Explain MQTT}{?|.}", "MQTT is {a light way for devices to send messages|how small devices in a house talk to each other}. {A broker passes each message on to whoever asked for its topic.|Each message has a topic, and a broker passes it on.}"),
    ("{How do I send you a prompt|How can I talk to you|Where do I send my question|Which topic do I use}?", "Publish {your text|your question} to the topic edged/node/request, {with the name of this board in place of node|where node is the name of this board}. {The answer comes on edged/node/reply.|I answer as fast as I can.}"),
    ("{How do I air a room|How do I get fresh air|What is the best way to air a room}?", "Open the windows {wide|fully} for {five|ten} minutes, and {turn the heating off|close them} {before|after} that. {Two open windows are better than one.|A draught makes it quick.|Do it twice a day.}"),
    ("{How can I save energy|How do we save power|How do I lower the bill|Tips for saving energy}{?|.}", "{Turn off the lights you do not need|Lower the heating by one degree}, {wash at 30 degrees|run the dishwasher only when it is full} and {close the blinds at night|use the sun when it shines}. {Small steps add up.|One degree less saves about six percent.}"),
    ("{What is a good temperature for the bedroom|How warm should the bedroom be|How warm should I sleep}?", "{Between 16 and 18 degrees is good for sleeping.|Most people sleep well at about 17 degrees.} {A little fresh air helps too.|Air the room before you go to bed.}"),
    ("{What is a good temperature for the living room|How warm should the living room be}?", "{About 20 to 22 degrees is comfortable.|Most people like about 21 degrees.} {One degree less saves energy.|With a blanket, 19 will do.}"),
    ("{What is a good humidity|How humid should a room be|Which humidity is healthy}?", "{Between 40 and 60 percent is good.|About 50 percent is healthy.} {Above that, open a window.|In a damp room, mould may grow.|Below that, the air feels dry.}"),
    ("{How do I stop mould|There is mould in the bathroom|What helps against mould}{?|.}", "{Air the room after each shower and keep it warm.|Keep the humidity below 60 percent.} {Wipe wet tiles dry.|Open the window wide twice a day.|Do not dry laundry there.}"),
    ("{What is a kilowatt hour|What does kWh mean|Explain kWh}{?|.}", "A kilowatt hour is {the energy that 1000 watts use in one hour|1000 watts for one hour}. {A kettle uses about a tenth of that for a pot of tea.|A washing machine needs about one for a load.}"),
    ("{What is a watt|What does W mean|What is the unit of power}?", "A watt{, written W,|} is the unit of power. {A lamp needs about 8 W.|A kettle draws about 2000 W.|1000 W make one kilowatt.}"),
    ("{What is ppm|What does ppm mean|What is CO2 in a room}{?|.}", "ppm {means parts per million|stands for parts per million}. {Below 1000 ppm of CO2 the air is good.|Above 1000 ppm it is time to open a window.}"),
    ("{What is the unit of temperature|What does °C mean|In which unit do you measure heat}?", "{We measure temperature in degrees Celsius, written °C.|Temperature is given in degrees Celsius.} Water freezes at 0 {°C|degrees} and boils at 100."),
    ("{How do I reset the router|The internet is down|The WiFi does not work}{?|.}", "{Unplug the router, wait half a minute and plug it in again.|Switch the router off and on again.} {I do not need the internet, so I am still here.|If that does not help, call the provider.}"),
    ("{How do I bleed a radiator|The radiator gurgles|A radiator stays cold}{?|.}", "{Turn the radiator up, open its valve with the key until water comes, and close it.|There may be air in it: open the small valve until water comes.} {Keep a cup under it.|Then check the pressure of the heating.}"),
    ("{A fuse has blown|The power is out in the kitchen|Half of the lights are dead}{.|, what now?}", "{Unplug the last thing you switched on, then turn the breaker back on.|Look at the fuse box and turn the breaker back on.} If it trips again, call an electrician."),
    ("{Count to [n]|Please count to [n]|Can you count to [n]|Count from one to [n]}{.|?|}", "[count]"),
    ("{Repeat after me: [words]|Say: [words]|Please say [words]}", "[words]"),
    ("{Sing a song|Write a poem|Write a poem about the house|A rhyme, please}{.|}", "[poem]"),
    ("{Tell me a joke|A joke, please|Make me laugh|Do you know a joke|Another joke}{.|?|}", "[joke]"),
    ("{I am [who]|My name is [who]|This is [who]}{.|}", "{Nice to meet you, [who]!|Hello, [who]!|Welcome, [who]!} {How can I help?|What can I do for you?|What would you like to know?}"),
    ("{I am bored|I am sad|I am tired|I am cold|I am hungry|I am happy}{.|!|}", "[mood]"),
    ("{Test|ping|Are you there|Can you hear me|Is this working}{?|.|}", "{Yes, I am here.|I am here and listening.|It works.|Loud and clear.}"),
    ("{How many rooms are there|How many rooms does the house have|Count the rooms}{?|.}", "The little house has six rooms: kitchen, living room, bedroom, bathroom, office and hall."),
    ("{Which rooms are there|What rooms do you know|List the rooms}{?|.}", "{There are six rooms: kitchen|I know six rooms: kitchen}, living room, bedroom, bathroom, office and hall. {There is also a garden with a shed.|A cellar lies below and an attic above.}"),
)  # fmt: skip
_JOKES = "{Why did the lamp go to school? It wanted to be brighter.|Why is the fridge so calm? It always keeps cool.|What does the window say in winter? I am in pain.|Why did the thermostat get a prize? It was great to a degree.|Why was the robot vacuum tired? It had a day full of dust.|What is the door's favourite music? Anything with a good knock.|Why did the kettle sing? It was letting off steam.|Why do stairs never lie? They are always on the level.|Why did the clock leave the kitchen? It had no time for dinner.|Why did the battery go home early? It felt empty.|What did the wall say to the other wall? I will meet you at the corner.|Why is the cellar so wise? It has seen the foundations.}"
_POEMS = "{A lamp is lit, the rain is near,\nthe kettle sings, the night is clear|The house is small, the house is warm,\nit keeps us safe in every storm|A window here, a window there,\na little bit of morning air}{.|,}\n{The clock goes tick, the stairs go creak,\nthe tap has something it must speak.|The cat lies down, the day is done,\nthe roof still holds a bit of sun.|And when the stars begin to show,\nthe heating hums its song below.}"
_MOODS = {
    "bored": "{Shall I tell you a story about the kitchen?|Ask me for a joke.|You could water the plants.}",
    "sad": "I am sorry to hear that. {A cup of tea may help.|Shall I tell you a joke?|A warm light might help.}",
    "tired": "{Then dim the lights and rest a little.|A short nap may help.|Go to bed early, and I will watch the house.}",
    "cold": "{Then turn on the heating or take a blanket.|A warm jumper helps, and so does tea.|Check whether a window is open.}",
    "hungry": "{Then the kitchen is the right room.|Perhaps there is soup in the fridge.|I cannot cook, but the stove can.}",
    "happy": "{That is good to hear!|Then the house is happy too.|How nice!}",
}
_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")  # fmt: skip
_SAYINGS = "{hello|the door is open|good morning, {house|garden|kitchen}|the {cat|dog|bird} is in the {garden|hall|shed}|dinner is ready|I like {tea|rain|soup|winter}|the {red|blue|green|small} {lamp|chair|door|cup} is {old|new|broken|nice}}"

_OFF_TOPIC = (
    "{What is the capital of {France|Spain|Japan|Brazil|Kenya|Canada|Norway|Peru}|Who won the {football match|world cup|election|race}|Explain {quantum physics|relativity|black holes|the stock market|evolution|calculus|democracy|chemistry}"
    "|Who is the president of {France|Italy|the United States|Mexico}|Write {Python code|a C program|an SQL query|a web page}{| that sorts a list| for me}|Translate {this|hello|good day} into {French|German|Latin|Chinese}"
    "|Who wrote {Hamlet|Faust|the Odyssey|Don Quixote}|What is {[a] times [b]|the square root of [a]|[a] divided by [b]|the meaning of life|love|a prime number|DNA|gravity}|When did {the war|the Roman empire|the middle ages} {end|begin}"
    "|How far is {the moon|the sun|Mars|London}|Give me {a recipe for curry|medical advice|legal advice|stock tips|investment advice}|What is the news{| today}|Which {film|book|phone|car} should I {buy|choose}|Who was {Napoleon|Einstein|Mozart|Cleopatra}"
    "|How do {airplanes fly|vaccines work|volcanoes form|whales sleep|computers work}|What is the {price of gold|exchange rate|population of India|highest mountain}|Can you {play chess|drive a car|write an essay|do my homework|book a flight}}{?|.|}"
)  # fmt: skip
_LIMITS = (
    "{I do not know.|I am sorry, I do not know that.|Sorry, I cannot help with that.|That is beyond me.|I have no idea, I am afraid.} {I am a small model that knows only about a house.|I am a tiny model and know only a little house."
    "|I know only this little house.|My world ends at the garden gate.}{| Ask me about the rooms, the lights or the weather instead.| A larger model could tell you.| Shall we talk about the house?| Please ask a larger model.}"
)  # fmt: skip


def talk(rng: Random, who: str = "") -> Pair:
    """Draw one exchange of small talk or a how-to question."""
    asked, answered = rng.choice(_TALK)
    number = rng.randrange(3, len(_WORDS) + 1)
    fields = {
        "who": who or rng.choice(PEOPLE),
        "n": rng.choice((_WORDS[number - 1], str(number))),
        "count": ", ".join(_WORDS[:number]).capitalize() + ".",
        "words": spin(rng, _SAYINGS),
        "joke": spin(rng, _JOKES),
        "poem": spin(rng, _POEMS),
    }
    text = spin(rng, asked, **fields)
    mood = next((mood for word, mood in _MOODS.items() if word in text), "")
    return casual(rng, text), spin(rng, answered, mood=spin(rng, mood), **fields)


def off_topic(rng: Random) -> Pair:
    """Draw a question from outside the house and the polite limit."""
    fields = {"a": str(rng.randrange(2, 99)), "b": str(rng.randrange(2, 99))}
    return casual(rng, spin(rng, _OFF_TOPIC, **fields)), spin(rng, _LIMITS)
