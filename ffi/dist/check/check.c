// Makes a client and ends it: enough to see that header and library were found, and belong together.

#include <moorline.h>

int main(void)
{
    moorline_init_options options = {.struct_size = sizeof options, .abi_version = MOORLINE_ABI_VERSION};
    uint64_t client = 0;
    int32_t status = moorline_init(&options, &client, NULL);
    return status == MOORLINE_OK ? moorline_dispose(client, 0, NULL, NULL, NULL) : status;
}
