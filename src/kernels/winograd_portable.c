/* The loops of Winograd's algorithm at level portable. */
#define VEC_BITS 128
#define WINOGRAD cvy_winograd_portable
#include "kernels/winograd_template.h"
