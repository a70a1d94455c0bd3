"""Renders templates with Jinja2. sippod runs this as `python3 -I -c`, in a pod without network.

It says {"ready": true}, or {"error": why} and ends. Then each line that it reads is a file to be rendered,
{"folder", "file", "templates", "keywords"}, answered by {"length": n} and n bytes, or by {"error": why}.
Bytes that are no UTF-8 pass through as they are.
"""
import base64
import functools
import json
import os
import sys


def say(reply, text=b""):
    sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n" + text)
    sys.stdout.buffer.flush()


try:
    import jinja2
    from jinja2.loaders import split_template_path
except ImportError as problem:
    say({"error": str(problem)})
    sys.exit(0)


class Loader(jinja2.BaseLoader):
    """Looks into the run folder, then into the template folder. In errors, names of the latter's files begin with
    its own."""

    def use(self, folder, templates):
        self.places = [(folder, "")]
        if templates:
            self.places.append((templates, os.path.basename(templates) + "/"))
        self.used = set()

    def get_source(self, environment, template):
        pieces = split_template_path(template)
        for folder, prefix in self.places:
            path = os.path.join(folder, *pieces)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    text = file.read().decode("utf-8", "surrogateescape")
                name = prefix + "/".join(pieces)
                self.used.add(name)
                return text, name, None
        raise jinja2.TemplateNotFound(template)


class Environment(jinja2.Environment):
    """As Jinja2 is by default, but that names have to be defined. What is compiled is kept by its text, since the
    tests of a suite often hold the same files."""

    @functools.lru_cache(maxsize=256)
    def compile(self, source, name=None, filename=None, raw=False, defer_init=False):
        return super().compile(source, name, filename, raw, defer_init)


def b64encode(text):
    return base64.b64encode(str(text).encode("ascii")).decode("ascii")


def b64decode(text):
    return base64.b64decode(str(text).encode("ascii")).decode("ascii")


def places_of(problem):
    """'file:line' of each template that an exception came through, the innermost last."""
    places, trace = [], problem.__traceback__
    while trace:
        name = trace.tb_frame.f_code.co_filename
        if name in loader.used:
            places.append(f"{name}:{trace.tb_lineno}")
        trace = trace.tb_next
    if isinstance(problem, jinja2.TemplateSyntaxError):
        places = [place for place in places if not place.startswith(f"{problem.filename}:")]
        places.append(f"{problem.filename}:{problem.lineno}")
    return places


def words_of(problem):
    if isinstance(problem, jinja2.TemplateNotFound):
        folders = " or in ".join(["the run folder", *(folder for folder, prefix in loader.places if prefix)])
        return f"there is no {problem.message!r} in {folders}"
    if isinstance(problem, jinja2.TemplateError):
        return problem.message or type(problem).__name__
    kind = type(problem)
    return f"{'' if kind.__module__ == 'builtins' else kind.__module__ + '.'}{kind.__name__}: {problem}"


def explain(problem, file):
    places = places_of(problem) or [file]
    text = f"{places[-1]}: {words_of(problem)}"
    if not places[-1].startswith(f"{file}:") and len(places) > 1:
        text += f" (by way of {places[0]})"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:1000])


def render(file, folder, templates, keywords):
    loader.use(folder, templates)
    return environment.get_template(file).render(keywords).encode("utf-8", "surrogateescape")


loader = Loader()
environment = Environment(loader=loader, undefined=jinja2.StrictUndefined, cache_size=0)
environment.filters.update(b64encode=b64encode, b64decode=b64decode)
say({"ready": True})
for line in sys.stdin.buffer:
    request = json.loads(line)
    try:
        rendered = render(**request)
    except MemoryError:
        sys.exit("out of memory")
    except Exception as problem:
        say({"error": explain(problem, request["file"])})
    else:
        say({"length": len(rendered)}, rendered)
