#include "src/run/rendering.h"

#include <stdlib.h>

#include "src/base/memory.h"
#include "src/suite/template.h"

struct rendering {
    struct renderer *renderer;
    int folder_fd;
    char *folder;
    struct keywords keywords;
    struct strings names;  /* of those that take Jinja2 */
    struct strings places; /* "file:line" of what first takes it */
    size_t next;
    struct render *render; /* of the one before `next` */
    void (*done)(void *user, const struct error *error);
    void *user;
};

static void rendering_free(struct rendering *rendering)
{
    keywords_free(&rendering->keywords);
    strings_free(&rendering->names);
    strings_free(&rendering->places);
    free(rendering->folder);
    free(rendering);
}

static void end(struct rendering *rendering, const struct error *error)
{
    void (*done)(void *user, const struct error *error) = rendering->done;
    void *user = rendering->user;

    rendering_free(rendering);
    done(user, error);
}

static void on_rendered(void *user, const uint8_t *text, size_t length, const struct error *error);

static int ask(struct rendering *rendering, struct error **ret)
{
    rendering->render =
        renderer_render(rendering->renderer, rendering->folder, rendering->names.list[rendering->next++],
                        &rendering->keywords, on_rendered, rendering, ret);
    return rendering->render ? 0 : -1;
}

/* What is wrong with the host is told with the place that asks for it. */
static void fail(struct rendering *rendering, const struct error *failure)
{
    const char *place = rendering->places.list[rendering->next - 1];
    cleanup_error struct error *error = NULL;

    error_set(&error, failure->code, "%s%s%s", failure->code == ERROR_HOST ? place : "",
              failure->code == ERROR_HOST ? ": " : "", error_text(failure));
    error->sys = failure->sys;
    end(rendering, error);
}

static void on_rendered(void *user, const uint8_t *text, size_t length, const struct error *failure)
{
    struct rendering *rendering = user;
    const char *name = rendering->names.list[rendering->next - 1];
    cleanup_error struct error *error = NULL;

    rendering->render = NULL;
    if (failure)
        fail(rendering, failure);
    else if (template_replace_file(rendering->folder_fd, name, text, length, &error) < 0 ||
             rendering->next == rendering->names.count || ask(rendering, &error) < 0)
        end(rendering, error); /* which is NULL after the last one */
}

static int render_plain_ones(struct rendering *rendering, const struct strings *names, struct error **ret)
{
    for (size_t i = 0; i < names->count; i++) {
        size_t line;

        if (template_render_file(rendering->folder_fd, names->list[i], &rendering->keywords, &line, ret) < 0)
            return -1;
        if (!line)
            continue;
        strings_add(&rendering->names, names->list[i]);
        strings_addf(&rendering->places, "%s:%zu", names->list[i], line);
    }
    return 0;
}

int rendering_start(const struct rendering_config *config, struct keywords *keywords,
                    struct rendering **ret_rendering, void (*done)(void *user, const struct error *error),
                    void *user, struct error **ret)
{
    struct rendering *rendering = memory_new(sizeof *rendering);
    int result;

    *rendering = (struct rendering){
        .renderer = config->renderer,
        .folder_fd = config->folder_fd,
        .folder = text_copy(config->folder),
        .keywords = *keywords,
        .done = done,
        .user = user,
    };
    *keywords = (struct keywords){0};
    *ret_rendering = NULL;
    result = render_plain_ones(rendering, config->names, ret);
    if (result == 0 && rendering->names.count && (result = ask(rendering, ret)) == 0)
        *ret_rendering = rendering;
    else
        rendering_free(rendering);
    return result;
}

void rendering_cancel(struct rendering *rendering)
{
    if (rendering->render)
        render_cancel(rendering->render);
    rendering_free(rendering);
}
