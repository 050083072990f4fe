"""A client that is generated from the OpenAPI document has the names of the reference template."""

import httpx2

METHODS = """
    items-create_item items-delete_item items-read_item items-read_items items-update_item
    login-login_access_token login-recover_password login-recover_password_html_content
    login-reset_password login-test_token
    users-create_user users-delete_user users-delete_user_me users-read_user_by_id
    users-read_user_me users-read_users users-register_user users-update_password_me
    users-update_user
    users-update_user_me
    utils-health_check utils-test_email
"""
TYPES = """
    Body_login-login_access_token ItemCreate ItemPublic ItemUpdate ItemsPublic Message NewPassword
    Token UpdatePassword UserCreate UserPublic UserRegister UserUpdate UserUpdateMe UsersPublic
"""


async def test_methods_and_types_have_the_names_that_front_ends_use(
    client: httpx2.AsyncClient,
) -> None:
    openapi = (await client.get("/openapi.json")).json()
    methods = {
        operation["operationId"]
        for path in openapi["paths"].values()
        for operation in path.values()
    }

    assert methods.issuperset(METHODS.split())
    assert openapi["components"]["schemas"].keys() >= set(TYPES.split())
