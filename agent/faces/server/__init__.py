"""The HTTP face: the page, the API under /v1, and OpenAI's image edits, over one `agent.service.Service`.

`app` puts it together; `gate` decides who comes in; `conversations`, `pictures`, `jobs`, `openai_images` and `about`
are the routes; `shapes` says what is asked and answered, `views` makes it; `stream` tells of a job as it goes on.
"""
