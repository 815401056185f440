from django.urls import path

from crmsync.users import views

app_name = "users"
urlpatterns = [
    path("", views.UserListView.as_view(), name="user-list"),
    path("new/", views.UserCreateView.as_view(), name="user-create"),
    path("<int:pk>/", views.UserUpdateView.as_view(), name="user-update"),
    path("<int:pk>/password-link/", views.password_link, name="user-password-link"),
    path("<int:pk>/deactivate/", views.deactivate, name="user-deactivate"),
    path("<int:pk>/reactivate/", views.reactivate, name="user-reactivate"),
]
