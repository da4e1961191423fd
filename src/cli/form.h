/* Options that say how a file is read, for the commands that read one: members of a struct cvy_data_form. */
#ifndef CVY_CLI_FORM_H
#define CVY_CLI_FORM_H

#include "options.h"

/* What they were read into, as the library takes it. */
static inline const struct cvy_data_form *cli_form(struct cvy_data_form *form) {
    form->size = sizeof *form;
    return form;
}

/* `type`: the command's settings; `form`: its member. */
#define CLI_FORM_OPTIONS(type, form)                                                                                   \
    {"x", "/PATH", "where the inputs are in the file; else as in the training data, or /x", CLI_TEXT,                  \
     .offset = offsetof(type, form.x)},                                                                                \
        {"y", "/PATH", "where the targets are; else as in the training data, or /y", CLI_TEXT,                         \
         .offset = offsetof(type, form.y)},                                                                            \
        {"layout", "L", "where the channels stand, nhwc or nchw; else as in the training data, or nhwc", CLI_TEXT,     \
         .offset = offsetof(type, form.layout)},                                                                       \
    {                                                                                                                  \
        "y-layout", "L", "the same of targets of four axes; else as the inputs", CLI_TEXT,                             \
            .offset = offsetof(type, form.y_layout)                                                                    \
    }
/* For commands that are given a network. */
#define CLI_SCALE_OPTION(type, form)                                                                                   \
    {                                                                                                                  \
        "scale", "K", "multiplies inputs by K (or 1/255) to be on the scale of the training data; else found out",     \
            CLI_REAL, .offset = offsetof(type, form.scale)                                                             \
    }
/* For commands that compare with targets, too. */
#define CLI_Y_SCALE_OPTION(type, form)                                                                                 \
    {                                                                                                                  \
        "y-scale", "K", "multiplies targets of values in a file by K (or 1/255); else found out", CLI_REAL,            \
            .offset = offsetof(type, form.y_scale)                                                                     \
    }
/* For those that are given none. */
#define CLI_LIKE_OPTION(type, form)                                                                                    \
    {                                                                                                                  \
        "like", "RUN", "reads the file as the training data of a run, checkpoint or experiment were read", CLI_PATH,   \
            .offset = offsetof(type, form.like)                                                                        \
    }

#endif
